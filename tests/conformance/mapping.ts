/**
 * Registering, changing, finding and ending registrations.
 */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  type LoopSelector,
  MODE_EDGE,
} from "../../backends/mod.ts";
import { dup2, isCloseOnExec } from "../descriptors.ts";
import {
  bytesOf,
  drainSocket,
  expectEvents,
  expectNoEvents,
  summary,
} from "../util.ts";
import type { Cases } from "./case.ts";

const { AlreadyExists, BadResource, NotFound } = Deno.errors;

/** Values that no selector may accept as events. */
const BAD_EVENTS = [
  0,
  999_999,
  -1,
  1.5,
  NaN,
  Infinity,
  2 ** 32 + EVENT_READ,
  MODE_EDGE,
];

/** The calls that need a registration, each with a file object without one. */
function callsOn(
  selector: LoopSelector<string>,
  fileobj: FileObject,
): (() => unknown)[] {
  return [
    () => selector.unregister(fileobj),
    () => selector.modify(fileobj, EVENT_READ, ""),
    () => selector.getKey(fileobj),
  ];
}

export const mapping: Cases = [
  {
    name:
      "register() returns a key with its arguments, and getKey() returns the same key [A01]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      const key = selector.register(left, EVENT_READ | EVENT_WRITE, "mine");
      assertStrictEquals(key.fileobj, left);
      assertEquals(key.fd, left.fd);
      assertEquals(key.events, EVENT_READ | EVENT_WRITE);
      assertEquals(key.data, "mine");
      assertStrictEquals(selector.getKey(left), key);
      assertStrictEquals(selector.getKey(left.fd), key);
    },
  },
  {
    name: "register() takes a bare number [A01]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      assertEquals(
        selector.register(right.fd, EVENT_READ, "mine").fileobj,
        right.fd,
      );
      left.send(bytesOf("x"));
      expectEvents(selector, [["mine", EVENT_READ]]);
    },
  },
  {
    name: "register() and modify() refuse no events and unknown ones [A02]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const key = selector.register(right, EVENT_READ, "registered");
      for (const events of BAD_EVENTS) {
        assertThrows(() => selector.register(left, events, ""), RangeError);
        assertThrows(() => selector.modify(right, events, ""), RangeError);
      }
      assertEquals([...selector.getMap().values()], [key]);
    },
  },
  {
    name: "register() refuses a negative descriptor [A03]",
    run({ selector }): void {
      for (const fileobj of [-1, -(2 ** 31), { fd: -1 }]) {
        assertThrows(
          () => selector.register(fileobj, EVENT_READ, ""),
          RangeError,
        );
      }
      assertEquals(selector.getMap().size, 0);
    },
  },
  {
    name: "register() refuses a descriptor that C's int cannot hold [A28]",
    run({ selector }): void {
      for (const fd of [2 ** 31, 2 ** 32, 2 ** 53]) {
        assertThrows(() => selector.register(fd, EVENT_READ, ""), RangeError);
      }
    },
  },
  {
    name: "register() refuses an object without a descriptor [A03]",
    run({ selector }): void {
      const impostors: unknown[] = ["0", null, undefined, {}, 0.5, NaN, true, {
        fd: "0",
      }];
      for (const impostor of impostors) {
        assertThrows(
          () => selector.register(impostor as FileObject, EVENT_READ, ""),
          TypeError,
        );
      }
      assertEquals(selector.getMap().size, 0);
    },
  },
  {
    name:
      "register() of a number far above all open ones is refused without growing a table [A12]",
    run({ selector }): void {
      const error = assertThrows(
        () => selector.register(2 ** 31 - 1, EVENT_READ, ""),
      );
      assert(error instanceof RangeError || error instanceof BadResource);
      assertEquals(selector.getMap().size, 0);
    },
  },
  {
    name:
      "a second register() of the same object is refused, and the first stays [A04]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "first");
      assertThrows(
        () => selector.register(right, EVENT_WRITE, "second"),
        AlreadyExists,
      );
      left.send(bytesOf("x"));
      expectEvents(selector, [["first", EVENT_READ]]);
    },
  },
  {
    name:
      "a second register() of the same descriptor through another object is refused [A04]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "first");
      for (const other of [right.fd, { fd: right.fd }]) {
        assertThrows(
          () => selector.register(other, EVENT_WRITE, "second"),
          AlreadyExists,
        );
      }
      left.send(bytesOf("x"));
      expectEvents(selector, [["first", EVENT_READ]]);
    },
  },
  {
    name:
      "unregister(), modify() and getKey() of an unregistered file object are NotFound [A05]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      for (const fileobj of [left, left.fd, 1 << 20, -1, { fd: -1 }]) {
        for (const call of callsOn(selector, fileobj)) {
          assertThrows(call, NotFound);
        }
      }
    },
  },
  {
    name: "a second unregister() is NotFound [A05]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      const key = selector.register(left, EVENT_READ, "");
      assertStrictEquals(selector.unregister(left), key);
      assertThrows(() => selector.unregister(left), NotFound);
    },
  },
  {
    name: "unregister() works by number after the descriptor was closed [A06]",
    run(stage): void {
      const { selector } = stage;
      const { reader } = stage.pipe();
      const { fd } = reader;
      const key = selector.register(fd, EVENT_READ, "");
      reader.close();
      assertStrictEquals(selector.unregister(fd), key);
      assertEquals(selector.getMap().size, 0);
    },
  },
  {
    name: "unregister() works after another file has the number [A07]",
    run(stage): void {
      const { selector } = stage;
      const first = stage.pair();
      const second = stage.pair();
      const key = selector.register(first.right.fd, EVENT_READ, "first");
      dup2(second.right.fd, first.right.fd);
      assertStrictEquals(selector.unregister(first.right.fd), key);
      second.left.send(bytesOf("x"));
      expectNoEvents(selector);
    },
  },
  {
    name: "unregister() works by an object that was closed [A08]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(left, EVENT_READ, "left");
      const key = selector.register(right, EVENT_READ, "right");
      right.close();
      assertStrictEquals(selector.unregister(right), key);
      assertEquals([...selector.getMap().keys()], [left.fd]);
    },
  },
  {
    name:
      "unregister() with closing ends a registration, and its number is free for the next file [A05]",
    run(stage): void {
      const { selector } = stage;
      for (let round = 0; round < 2; round++) {
        const { left, right } = stage.pair();
        const key = selector.register(right, EVENT_READ, "right");
        left.send(bytesOf("x"));
        assertStrictEquals(selector.unregister(right, { closing: true }), key);
        assertEquals(selector.getMap().size, 0);
        assertThrows(
          () => selector.unregister(right, { closing: true }),
          NotFound,
        );
        right.close();
        expectNoEvents(selector);
      }
    },
  },
  {
    name: "unregister() refuses an unknown option, and the registration stays",
    run(stage): void {
      const { selector } = stage;
      const { right } = stage.pair();
      const key = selector.register(right, EVENT_READ, "right");
      const options = { close: true } as { closing?: boolean };
      assertThrows(
        () => selector.unregister(right, options),
        TypeError,
        'Unknown option "close"',
      );
      assertStrictEquals(selector.getKey(right), key);
      assertStrictEquals(selector.unregister(right, { closing: false }), key);
    },
  },
  {
    name: "getKey() finds an object that was closed [A08]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      const key = selector.register(left, EVENT_READ, "");
      left.close();
      assertStrictEquals(selector.getKey(left), key);
      assert(selector.getMap().has(left));
    },
  },
  {
    name: "modify() makes a new key and leaves the old one as it was [A09]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      const before = selector.register(left, EVENT_READ, "before");
      const after = selector.modify(left, EVENT_WRITE, "after");
      assertNotStrictEquals(after, before);
      assertEquals([before.events, before.data], [EVENT_READ, "before"]);
      assertEquals([after.events, after.data], [EVENT_WRITE, "after"]);
      assertStrictEquals(after.fileobj, left);
      assertStrictEquals(selector.getKey(left), after);
      assertEquals(selector.getMap().size, 1);
    },
  },
  {
    name:
      "modify() through another object or the number keeps the file object [A09]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      selector.register(left, EVENT_READ, "");
      assertStrictEquals(
        selector.modify(left.fd, EVENT_WRITE, "").fileobj,
        left,
      );
    },
  },
  {
    // A system call with a closed number would fail.
    name: "modify() of the data alone makes no system call [A10]",
    run(stage): void {
      const { selector } = stage;
      const { reader } = stage.pipe();
      selector.register(reader, EVENT_READ, "before");
      reader.close();
      assertEquals(selector.modify(reader, EVENT_READ, "after").data, "after");
      assertEquals(selector.getKey(reader).data, "after");
    },
  },
  {
    name: "modify() that the system refuses ends the registration [A11]",
    needs: "refusesClosed",
    run(stage): void {
      const { selector } = stage;
      const { reader } = stage.pipe();
      const { fd } = reader;
      selector.register(fd, EVENT_READ, "");
      reader.close();
      assertThrows(() => selector.modify(fd, EVENT_WRITE, ""), BadResource);
      assertThrows(() => selector.getKey(fd), NotFound);
      assertEquals(selector.getMap().size, 0);
    },
  },
  {
    name:
      "register() that the system refuses leaves no registration [A12] [B27]",
    needs: "refusesClosed",
    run(stage): void {
      const { selector } = stage;
      const { reader } = stage.pipe();
      const { fd } = reader;
      reader.close();
      assertThrows(() => selector.register(fd, EVENT_READ, ""), BadResource);
      assertThrows(() => selector.getKey(fd), NotFound);
      assertEquals(selector.getMap().size, 0);
    },
  },
  {
    name:
      "a number whose register() was refused can be registered for its next file [A12]",
    needs: "refusesClosed",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const number = right.fd;
      right.close();
      assertThrows(() => selector.register(number, EVENT_WRITE, ""));
      const owner = stage.duplicateTo(left.fd, number);
      selector.register(owner, EVENT_READ, "owner");
      expectEvents(selector, [["owner", EVENT_READ]]);
    },
  },
  {
    name:
      "modify() replaces the interest: previous events are not reported [A13]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      selector.register(right, EVENT_READ, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
      selector.modify(right, EVENT_WRITE, "right");
      assertEquals(summary(selector.select(0)), [["right", EVENT_WRITE]]);
      selector.modify(right, EVENT_READ, "right");
      assertEquals(summary(selector.select(0)), [["right", EVENT_READ]]);
    },
  },
  {
    name: "modify() from both events to one keeps that one [A14]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      selector.register(right, EVENT_READ | EVENT_WRITE, "right");
      selector.modify(right, EVENT_READ, "right");
      assertEquals(summary(selector.select(0)), [["right", EVENT_READ]]);
      selector.modify(right, EVENT_READ | EVENT_WRITE, "right");
      expectEvents(selector, [["right", EVENT_READ | EVENT_WRITE]]);
      drainSocket(right);
      assertEquals(summary(selector.select(0)), [["right", EVENT_WRITE]]);
    },
  },
  {
    name: "modify() there and back keeps the last events [A13]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      for (const events of [EVENT_WRITE, EVENT_READ, EVENT_WRITE, EVENT_READ]) {
        selector.modify(right, events, "right");
      }
      assertEquals(selector.select(0), []);
      left.send(bytesOf("x"));
      expectEvents(selector, [["right", EVENT_READ]]);
    },
  },
  {
    name: "getMap() follows every change [A16]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const map = selector.getMap();
      assertEquals(map.size, 0);
      const first = selector.register(left, EVENT_READ, "left");
      const second = selector.register(right, EVENT_READ, "right");
      assertEquals(map.size, 2);
      assertEquals([...map.values()], [first, second]);
      selector.unregister(left);
      assertEquals([...map.values()], [second]);
      const third = selector.modify(right, EVENT_READ, "again");
      assertStrictEquals(map.get(right), third);
    },
  },
  {
    name:
      "getMap() is looked up by object and by number, and iterates by number [A16]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const map = selector.getMap();
      const key = selector.register(left, EVENT_READ, "");
      assertStrictEquals(map.get(left), key);
      assertStrictEquals(map.get(left.fd), key);
      assertEquals([map.has(left), map.has(left.fd)], [true, true]);
      assertEquals([map.has(right), map.has(right.fd)], [false, false]);
      assertEquals(map.get(right), undefined);
      assertEquals([...map], [[left.fd, key]]);
      assertEquals([...map.entries()], [[left.fd, key]]);
      assertEquals([...map.keys()], [left.fd]);
      map.forEach((value, fd) => assertEquals([value, fd], [key, left.fd]));
    },
  },
  {
    name: "getMap() cannot be changed [A16]",
    run({ selector }): void {
      const map = selector.getMap();
      for (const mutator of ["set", "delete", "clear"]) {
        assertFalse(mutator in map, mutator);
      }
    },
  },
  {
    name: "close() ends all registrations, and can be repeated [A17]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      selector.register(left, EVENT_READ, "");
      const map = selector.getMap();
      selector.close();
      selector.close();
      assertEquals([map.size, [...map], map.get(left)], [0, [], undefined]);
    },
  },
  {
    name: "every call on a closed selector is BadResource [A18]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(left, EVENT_READ, "");
      selector.close();
      const calls = [
        ...callsOn(selector, left),
        () => selector.register(right, EVENT_READ, ""),
        () => selector.select(0),
        () => selector.wait(0),
      ];
      for (const call of calls) assertThrows(call, BadResource, "closed");
      await assertRejects(() => selector.park(0), BadResource, "closed");
    },
  },
  {
    name: "the end of a using scope closes [A19]",
    run(stage): void {
      const selector = stage.makeLoose();
      {
        using scoped = selector;
        scoped.select(0);
      }
      assertThrows(() => selector.select(0), BadResource);
    },
  },
  {
    name: "fd is a close-on-exec descriptor until close(), then -1 [A20]",
    needs: "ownFd",
    run(stage): void {
      const selector = stage.selector as LoopSelector<string> & { fd: number };
      assertGreaterOrEqual(selector.fd, 0);
      assert(isCloseOnExec(selector.fd));
      selector.close();
      assertEquals(selector.fd, -1);
    },
  },
  {
    name:
      "register() after unregister() of the same file has no old events [A21]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "first");
      left.send(bytesOf("x"));
      expectEvents(selector, [["first", EVENT_READ]]);
      selector.unregister(right);
      drainSocket(right);
      selector.register(right, EVENT_READ, "second");
      expectNoEvents(selector);
      left.send(bytesOf("x"));
      expectEvents(selector, [["second", EVENT_READ]]);
    },
  },
  {
    name:
      "no event comes after unregister(), and the data is still there [A22]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "");
      selector.unregister(right);
      left.send(bytesOf("data"));
      expectNoEvents(selector);
      assertEquals(drainSocket(right), 4);
    },
  },
  {
    name: "two selectors can watch one socket, and both report it [A23]",
    run(stage): void {
      const { left, right } = stage.pair();
      const selectors = [stage.make(), stage.make()];
      for (const selector of selectors) {
        selector.register(right, EVENT_READ, "right");
      }
      left.send(bytesOf("x"));
      for (const selector of selectors) {
        expectEvents(selector, [["right", EVENT_READ]]);
      }
    },
  },
  {
    name:
      "register() works for the next file of a number whose closed object was not unregistered [A07]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "old");
      const number = right.fd;
      right.close();
      const owner = stage.duplicateTo(left.fd, number);
      selector.register(owner, EVENT_READ, "new");
      assertEquals(selector.getMap().size, 1);
      expectEvents(selector, [["new", EVENT_READ]]);
    },
  },
];
