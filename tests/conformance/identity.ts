/**
 * Closed descriptors whose numbers are used again: no event reaches the wrong file.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { dup, openFile } from "../../backends/ffi/mod.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type LoopSelector,
} from "../../backends/mod.ts";
import {
  bytesOf,
  drainSocket,
  elapsed,
  expectEvents,
  expectNoEvents,
  summary,
} from "../util.ts";
import type { Cases } from "./case.ts";

/** The data of each ready entry; undefined for one whose registration has ended. */
function found(
  selector: LoopSelector<string>,
  count: number,
): (string | undefined)[] {
  return Array.from(
    { length: count },
    (_, index) => selector.readyKey(index)?.data,
  );
}

/** The index of a registration among the ready entries. */
function indexOf(
  selector: LoopSelector<string>,
  count: number,
  data: string,
): number {
  const index = found(selector, count).indexOf(data);
  assert(index >= 0, `${data} is not among ${found(selector, count)}`);
  return index;
}

/** Asserts that an entry has neither key, file object, data nor events. */
function assertEnded(
  selector: LoopSelector<string>,
  index: number,
): void {
  assertEquals(selector.readyKey(index), undefined);
  assertEquals(selector.readyFileobj(index), undefined);
  assertEquals(selector.readyData(index), undefined);
  assertEquals(selector.readyEvents(index), 0);
}

export const identity: Cases = [
  {
    name: "wait() and readyKey() have the same result as select() [F02]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      const key = selector.register(right, EVENT_READ | EVENT_WRITE, "right");
      assertEquals(selector.wait(1000), 1);
      assertEquals(selector.readyKey(0), key);
      assertStrictEquals(selector.readyFileobj(0), right);
      assertEquals(selector.readyData(0), "right");
      assertEquals(selector.readyEvents(0), EVENT_READ | EVENT_WRITE);
    },
  },
  {
    name:
      "a ready entry that is unregistered within the batch has no key any more [F02]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(left, EVENT_WRITE, "left");
      selector.register(right, EVENT_WRITE, "right");
      const count = selector.wait(1000);
      const index = indexOf(selector, count, "right");
      selector.unregister(right);
      assertEnded(selector, index);
    },
  },
  {
    name:
      "an event within the batch does not reach a new file with the same number [F04]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      selector.register(right, EVENT_READ, "old");
      const count = selector.wait(1000);
      const index = indexOf(selector, count, "old");
      const number = right.fd;
      selector.unregister(right);
      right.close();
      const owner = stage.duplicateTo(left.fd, number);
      selector.register(owner, EVENT_READ, "new");
      assertEnded(selector, index);
    },
  },
  {
    name: "modify() within the batch changes the reported events [F11]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      selector.register(right, EVENT_READ | EVENT_WRITE, "right");
      assertEquals(selector.wait(1000), 1);
      selector.modify(right, EVENT_WRITE, "changed");
      assertEquals(selector.readyKey(0)?.data, "changed");
      assertEquals(selector.readyData(0), "changed");
      assertEquals(selector.readyEvents(0), EVENT_WRITE);
    },
  },
  {
    name: "the next wait reports a registration made within the batch [F10]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(left, EVENT_WRITE, "left");
      const count = selector.wait(1000);
      selector.register(right, EVENT_WRITE, "right");
      assertEquals(found(selector, count), ["left"]);
      expectEvents(selector, [["left", EVENT_WRITE], ["right", EVENT_WRITE]]);
    },
  },
  {
    name: "a closed object whose number is another file's has no events [F05]",
    lacks: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "old");
      const number = right.fd;
      right.close();
      stage.duplicateTo(left.fd, number);
      expectNoEvents(selector);
    },
  },
  {
    name:
      "a closed object whose number is another file's is reported once, as closed [F05]",
    needs: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const key = selector.register(right, EVENT_READ, "old");
      const number = right.fd;
      right.close();
      stage.duplicateTo(left.fd, number);
      assertEquals(selector.select(1000), [[key, EVENT_READ]]);
      assertEquals(selector.getMap().size, 0);
      expectNoEvents(selector);
    },
  },
  {
    name:
      "a duplicate of a descriptor unregistered after its close ends no wait [F07]",
    needs: "followsClose",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const other = stage.pair();
      stage.fd(dup(right));
      selector.register(right, EVENT_READ, "right");
      selector.register(other.right, EVENT_READ, "other");
      right.close();
      selector.unregister(right);
      left.send(bytesOf("x"));
      // A few waits may find the duplicate, but they must end.
      for (let round = 0; round < 3; round++) selector.wait(0);
      const took = elapsed(() => assertEquals(selector.wait(40), 0));
      assertGreaterOrEqual(took, 13);
      other.left.send(bytesOf("x"));
      expectEvents(selector, [["other", EVENT_READ]]);
    },
  },
  {
    name:
      "select() keeps its timeout in spite of a duplicate of an unregistered descriptor [F07]",
    needs: "followsClose",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      stage.fd(dup(right));
      selector.register(right, EVENT_READ, "right");
      right.close();
      selector.unregister(right);
      left.send(bytesOf("x"));
      const took = elapsed(() => assertEquals(selector.select(50), []));
      assertGreaterOrEqual(took, 50);
    },
  },
  {
    name:
      "a descriptor closed while registered does not spin, and others are reported [F08]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const { reader } = stage.pipe();
      selector.register(reader, EVENT_READ, "closed");
      selector.register(right, EVENT_READ, "right");
      reader.close();
      let reports = 0;
      for (let round = 0; round < 4; round++) {
        reports += selector.select(5).length;
      }
      assertLess(reports, 2);
      left.send(bytesOf("x"));
      expectEvents(selector, [["right", EVENT_READ]]);
      assertEquals(drainSocket(right), 1);
      expectNoEvents(selector);
    },
  },
  {
    name: "a descriptor closed while registered is reported once [F08] [B29]",
    needs: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const { reader } = stage.pipe();
      const { fd } = reader;
      const key = selector.register(fd, EVENT_READ, "closed");
      reader.close();
      assertEquals(selector.select(1000), [[key, EVENT_READ]]);
      assertEquals(selector.readyFileobj(0), fd);
      assertEquals(selector.readyData(0), "closed");
      assertEquals(selector.readyEvents(0), EVENT_READ);
      assertEquals(selector.unregister(fd), key);
      expectNoEvents(selector);
    },
  },
  {
    name:
      "a number that a wait reports as closed can be registered at once for its next file [F08]",
    needs: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const { fd } = right;
      selector.register(fd, EVENT_READ, "closed");
      right.close();
      assertEquals(summary(selector.select(1000)), [["closed", EVENT_READ]]);
      const owner = stage.duplicateTo(left.fd, fd);
      selector.register(owner, EVENT_WRITE, "owner");
      expectEvents(selector, [["owner", EVENT_WRITE]]);
      assertEquals(selector.unregister(fd).data, "owner");
    },
  },
  {
    name:
      "unregister() ends the registration of a number's next file before the next wait, too [F08]",
    needs: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const { fd } = right;
      selector.register(fd, EVENT_READ, "closed");
      right.close();
      assertEquals(selector.wait(1000), 1);
      stage.duplicateTo(left.fd, fd);
      const key = selector.register(fd, EVENT_WRITE, "owner");
      assertEquals(selector.unregister(fd), key);
      assertEquals(selector.getMap().size, 0);
      assertEquals(selector.unregister(fd).data, "closed");
      expectNoEvents(selector);
    },
  },
  {
    name:
      "unregister() ends the registration of an object that was closed and opened again",
    needs: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const { fd } = right;
      const file = { fd };
      selector.register(file, EVENT_READ, "closed");
      right.close();
      file.fd = -1;
      assertEquals(selector.wait(1000), 1);
      stage.duplicateTo(left.fd, fd);
      file.fd = fd;
      const key = selector.register(file, EVENT_WRITE, "opened");
      assertEquals(selector.unregister(file), key);
      assertEquals(selector.getMap().size, 0);
    },
  },
  {
    name: "a regular file closed while registered does not spin [F08]",
    needs: ["followsClose", "anyFile"],
    run(stage): void {
      const { selector } = stage;
      const file = stage.fd(openFile(new URL(import.meta.url).pathname));
      selector.register(file, EVENT_READ, "file");
      file.close();
      let reports = 0;
      for (let round = 0; round < 4; round++) {
        reports += selector.select(5).length;
      }
      assertLess(reports, 2);
    },
  },
  {
    name:
      "modify() of a number that was closed and opened again applies to the new file",
    run(stage): void {
      const { selector } = stage;
      const { reader, writer } = stage.pipe();
      const { left, right } = stage.pair();
      const { fd } = reader;
      selector.register(fd, EVENT_READ, "number");
      reader.close();
      stage.duplicateTo(right.fd, fd);
      writer.close();
      selector.modify(fd, EVENT_READ | EVENT_WRITE, "number");
      left.send(bytesOf("x"));
      expectEvents(selector, [["number", EVENT_READ | EVENT_WRITE]]);
    },
  },
  {
    name:
      "modify() drops the events of an earlier file that a duplicate keeps open",
    needs: "followsClose",
    run(stage): void {
      const { selector } = stage;
      const old = stage.pair();
      const { right } = stage.pair();
      stage.fd(dup(old.right));
      const { fd } = old.right;
      selector.register(fd, EVENT_READ | EVENT_WRITE, "number");
      old.right.close();
      stage.duplicateTo(right.fd, fd);
      selector.modify(fd, EVENT_READ, "number");
      old.left.send(bytesOf("x"));
      expectNoEvents(selector);
    },
  },
  {
    name:
      "a number that was a regular file's and is a socket's is not always ready",
    needs: ["followsClose", "anyFile"],
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const file = stage.fd(openFile(new URL(import.meta.url).pathname));
      const { fd } = file;
      selector.register(fd, EVENT_READ | EVENT_WRITE, "number");
      file.close();
      stage.duplicateTo(right.fd, fd);
      selector.modify(fd, EVENT_READ, "number");
      expectNoEvents(selector);
      left.send(bytesOf("x"));
      expectEvents(selector, [["number", EVENT_READ]]);
    },
  },
  {
    name:
      "modify() of a closed object is refused, and does not reach the next file with its number [A11] [F05]",
    lacks: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const { fd } = right;
      selector.register(right, EVENT_READ, "closed");
      right.close();
      stage.duplicateTo(left.fd, fd);
      const modify = (): unknown =>
        selector.modify(right, EVENT_WRITE, "closed");
      assertThrows(modify, Deno.errors.BadResource);
      assertEquals(selector.getMap().size, 0);
      expectNoEvents(selector);
    },
  },
  {
    name:
      "a duplicate of an unregistered descriptor has no closed object watch the next file with its number [F05] [F07]",
    needs: "followsClose",
    lacks: "reportsClosed",
    run(stage): void {
      const { selector } = stage;
      const old = stage.pair();
      const { left, right } = stage.pair();
      const next = stage.pair();
      const { fd } = old.right;
      selector.register(old.right, EVENT_READ, "closed");
      old.right.close();
      stage.duplicateTo(next.right.fd, fd);
      stage.fd(dup(right));
      selector.register(right, EVENT_READ, "right");
      right.close();
      selector.unregister(right);
      left.send(bytesOf("x"));
      next.left.send(bytesOf("x"));
      // A few waits find the duplicate.
      for (let round = 0; round < 3; round++) selector.wait(0);
      expectNoEvents(selector);
    },
  },
  {
    name: "a registration is not found by the next file with its number",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const key = selector.register(right, EVENT_READ, "old");
      const { fd } = right;
      right.close();
      const owner = stage.duplicateTo(left.fd, fd);
      const { NotFound } = Deno.errors;
      assertEquals(selector.getMap().has(owner), false);
      assertThrows(() => selector.getKey(owner), NotFound);
      assertThrows(() => selector.modify(owner, EVENT_WRITE, ""), NotFound);
      assertThrows(() => selector.unregister(owner), NotFound);
      assertEquals(selector.unregister(right), key);
    },
  },
];
