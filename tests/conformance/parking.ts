/**
 * Waits on another thread.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  EVENT_READ,
  EVENT_WRITE,
  type LoopSelector,
} from "../../backends/mod.ts";
import {
  bytesOf,
  drainSocket,
  expectEvents,
  nextTurn,
  PATIENCE,
  summary,
} from "../util.ts";
import type { Cases } from "./case.ts";

/** The data of all ready entries. */
function dataOf(selector: LoopSelector<string>, count: number): string[] {
  return Array.from({ length: count }, (_, index) => index)
    .filter((index) => selector.readyEvents(index) !== 0)
    .map((index) => selector.readyKey(index)!.data)
    .sort();
}

/** Whether a promise is settled within some milliseconds. */
async function endsWithin(
  milliseconds: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const ended = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return ended;
}

export const parking: Cases = [
  {
    name:
      "park() resolves with the ready entries, and does not block this thread [G02]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const key = selector.register(right, EVENT_READ, "right");
      const parked = selector.park(PATIENCE);
      await nextTurn();
      left.send(bytesOf("x"));
      assertEquals(await parked, 1);
      assertEquals(selector.readyKey(0), key);
      assertEquals(selector.readyEvents(0), EVENT_READ);
    },
  },
  {
    name: "park() resolves with 0 after its timeout [E02]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      assertEquals(await selector.park(20), 0);
    },
  },
  {
    name: "park() does not report a registration that ended during it [G12]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      const alarm = stage.pair();
      selector.register(alarm.left, EVENT_READ, "alarm");
      const parked = selector.park(PATIENCE);
      await nextTurn();
      selector.unregister(right);
      left.send(bytesOf("x"));
      alarm.right.send(bytesOf("x"));
      let names = dataOf(selector, await parked);
      // The first event may have been the stale one, which is not reported.
      if (names.length === 0) {
        names = summary(selector.select(PATIENCE)).map(([data]) => data);
      }
      assertEquals(names, ["alarm"]);
    },
  },
  {
    name:
      "park() reports no event of an earlier file to the next file of its number [F04]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const alarm = stage.pair();
      selector.register(alarm.right, EVENT_READ, "alarm");
      selector.register(right, EVENT_READ, "old");
      const parked = selector.park(PATIENCE);
      await nextTurn();
      left.send(bytesOf("x"));
      const number = right.fd;
      selector.unregister(right);
      right.close();
      const other = stage.pair();
      selector.register(
        stage.duplicateTo(other.left.fd, number),
        EVENT_READ,
        "new",
      );
      alarm.left.send(bytesOf("x"));
      const count = await parked;
      assert(!dataOf(selector, count).includes("new"));
    },
  },
  {
    name:
      "park() notices later registrations if seesChangesWhileParked says so [G09]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const alarm = stage.pair();
      selector.register(alarm.right, EVENT_READ, "alarm");
      const parked = selector.park(PATIENCE);
      await nextTurn();
      left.send(bytesOf("x"));
      selector.register(right, EVENT_READ, "right");
      const ended = await endsWithin(200, parked);
      assertEquals(ended, selector.seesChangesWhileParked);
      alarm.left.send(bytesOf("x"));
      const first = dataOf(selector, await parked);
      assertEquals(first, ended ? ["right"] : ["alarm"]);
      expectEvents(selector, [["alarm", EVENT_READ], ["right", EVENT_READ]]);
    },
  },
  {
    name:
      "park() reports ready entries although its buffer was replaced by a larger one [P03]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      const parked = selector.park(PATIENCE);
      await nextTurn();
      for (let index = 0; index < 200; index++) {
        selector.register(stage.pair().right, EVENT_READ, `later ${index}`);
      }
      left.send(bytesOf("x"));
      assertEquals(dataOf(selector, await parked), ["right"]);
      for (const key of [...selector.getMap().values()]) {
        selector.modify(key.fd, EVENT_WRITE, key.data);
      }
      assertEquals(selector.select(PATIENCE).length, 201);
    },
  },
  {
    name: "park() refuses every other wait until it ends [G10]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      const parked = selector.park(PATIENCE);
      const { Busy } = Deno.errors;
      assertThrows(() => selector.wait(0), Busy);
      assertThrows(() => selector.select(0), Busy);
      await assertRejects(() => selector.park(0), Busy);
      left.send(bytesOf("x"));
      assertEquals(await parked, 1);
      drainSocket(right);
      assertEquals(selector.select(0), []);
    },
  },
  {
    name: "close() during park() leaves no ready entry [A17]",
    async run(stage): Promise<void> {
      const selector = stage.makeLoose();
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      const parked = selector.park(200);
      await nextTurn();
      selector.close();
      left.send(bytesOf("x"));
      assertEquals(await parked, 0);
    },
  },
  {
    name: "park() reports a descriptor that is not open [B29]",
    lacks: "refusesClosed",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { reader } = stage.pipe();
      const { fd } = reader;
      reader.close();
      const key = selector.register(fd, EVENT_READ, "closed");
      assertEquals(await selector.park(PATIENCE), 1);
      assertEquals(selector.readyKey(0), key);
      assertEquals(selector.getMap().size, 0);
    },
  },
];
