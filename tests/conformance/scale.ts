/**
 * Many descriptors, and large descriptor numbers.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { EVENT_READ, EVENT_WRITE } from "../../backends/mod.ts";
import { bytesOf, drainSocket, expectEvents, PATIENCE } from "../util.ts";
import type { Cases, Stage } from "./case.ts";

/** More than the first buffer of any backend holds, and more than select can. */
const MANY = 1500;

/** As many pairs as wanted, or as the system allows with some to spare. */
function manyPairs(
  stage: Stage,
  wanted: number,
): ReturnType<Stage["pair"]>[] {
  const pairs: ReturnType<Stage["pair"]>[] = [];
  try {
    while (pairs.length < wanted) pairs.push(stage.pair());
  } catch (error) {
    if ((error as { code?: string }).code !== "EMFILE") throw error;
    for (const { left, right } of pairs.splice(-16)) {
      left.close();
      right.close();
    }
  }
  return pairs;
}

export const scale: Cases = [
  {
    name: "of very many registrations exactly the ready one is reported [P01]",
    run(stage): void {
      const { selector, capabilities } = stage;
      const wanted = Math.min(MANY, (capabilities.maxFd - 200) / 2);
      const pairs = manyPairs(stage, wanted);
      pairs.forEach(({ right }, index) => {
        selector.register(right, EVENT_READ, String(index));
      });
      for (let index = 0; index < pairs.length; index += 50) {
        const { left, right } = pairs[index]!;
        left.send(bytesOf("x"));
        expectEvents(selector, [[String(index), EVENT_READ]]);
        drainSocket(right);
      }
      assertEquals(selector.select(0), []);
    },
  },
  {
    name: "a wait for a few leaves the others to the next wait",
    run(stage): void {
      const { selector, capabilities } = stage;
      const names = Array.from({ length: 12 }, (_, index) => String(index));
      for (const name of names) {
        selector.register(stage.pair().right, EVENT_WRITE, name);
      }
      const seen = new Set<string>();
      for (let waits = 0; waits < 2 * names.length; waits++) {
        const count = selector.wait(0, 5);
        if (capabilities.limitsWaits) assertEquals(count <= 5, true);
        for (let index = 0; index < count; index++) {
          seen.add(selector.readyKey(index)!.data);
        }
      }
      assertEquals([...seen].sort(), names.sort());
      assertEquals(selector.select(0).length, names.length);
    },
  },
  {
    name: "of very many ready at once, each is reported in the end [P03]",
    run(stage): void {
      const { selector, capabilities } = stage;
      const wanted = Math.min(MANY, (capabilities.maxFd - 200) / 2);
      const seen = new Set<string>();
      manyPairs(stage, wanted).forEach(({ right }, index) => {
        selector.register(right, EVENT_WRITE, String(index));
      });
      const { size } = selector.getMap();
      while (seen.size < size) {
        const entries = selector.select(PATIENCE);
        assertEquals(entries.length > 0, true);
        for (const [{ data }] of entries) {
          seen.add(data);
        }
      }
    },
  },
  {
    name:
      "the largest descriptor of a backend works, and the next is refused [P02]",
    run(stage): void {
      const { selector, capabilities } = stage;
      const { left, right } = stage.pair();
      const limit = Math.min(capabilities.maxFd, 1025);
      const last = stage.duplicateTo(left.fd, limit - 1);
      selector.register(last, EVENT_WRITE, "last");
      if (capabilities.maxFd < Infinity) {
        const next = stage.duplicateTo(left.fd, limit);
        assertThrows(
          () => selector.register(next, EVENT_WRITE, "next"),
          RangeError,
          String(limit),
        );
      }
      selector.register(right, EVENT_WRITE, "right");
      expectEvents(selector, [["last", EVENT_WRITE], ["right", EVENT_WRITE]]);
      assertEquals(selector.getMap().size, 2);
    },
  },
  {
    name: "registrations end in any order, and the others stay [P03]",
    run(stage): void {
      const { selector } = stage;
      const pairs = Array.from({ length: 100 }, () => stage.pair());
      pairs.forEach(({ right }, index) => {
        selector.register(right, EVENT_WRITE, String(index));
      });
      pairs.forEach(({ right }, index) => {
        if (index % 3 !== 0) selector.unregister(right);
      });
      const expected = pairs.map((_, index) => index)
        .filter((index) => index % 3 === 0)
        .map((index) => [String(index), EVENT_WRITE] as const);
      expectEvents(selector, expected);
      assertEquals(selector.select(0).length, expected.length);
    },
  },
];
