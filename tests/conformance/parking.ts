/**
 * The wait on another thread.
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

/** The data of all that the last wait found. */
function told(selector: LoopSelector<string>, count: number): string[] {
  return Array.from({ length: count }, (_, index) => index)
    .filter((index) => selector.readyEvents(index) !== 0)
    .map((index) => selector.readyKey(index)!.data)
    .sort();
}

/** Whether a promise is settled before some milliseconds are over. */
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
      "park() resolves with what is ready, and this thread goes on meanwhile [G02]",
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
    name: "park() resolves with 0 when its time is over [E02]",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      assertEquals(await selector.park(20), 0);
    },
  },
  {
    name: "park() does not tell of what is unregistered meanwhile [G12]",
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
      let names = told(selector, await parked);
      // The first to be seen may have been the one that is not to be told.
      if (names.length === 0) {
        names = summary(selector.select(PATIENCE)).map(([data]) => data);
      }
      assertEquals(names, ["alarm"]);
    },
  },
  {
    name: "park() does not give an event to a new owner of the number [F04]",
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
      assert(!told(selector, count).includes("new"));
    },
  },
  {
    name:
      "park() sees what is registered meanwhile, if the selector says so [G09]",
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
      const first = told(selector, await parked);
      assertEquals(first, ended ? ["right"] : ["alarm"]);
      expectEvents(selector, [["alarm", EVENT_READ], ["right", EVENT_READ]]);
    },
  },
  {
    name:
      "park() tells what is ready although registrations have outgrown its buffer meanwhile [P03]",
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
      assertEquals(told(selector, await parked), ["right"]);
      for (const key of [...selector.getMap().values()]) {
        selector.modify(key.fd, EVENT_WRITE, key.data);
      }
      assertEquals(selector.select(PATIENCE).length, 201);
    },
  },
  {
    name:
      "during park() every other wait is refused, and works again after it [G10]",
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
    name: "close() during park() leaves nothing to be told [A17]",
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
    name: "park() tells of a descriptor that is not open [B29]",
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
