/**
 * Closing leaves no descriptor open.
 */

import { assertEquals } from "@std/assert";
import { EVENT_READ } from "../../backends/mod.ts";
import { expectNoEvents } from "../util.ts";
import type { Cases } from "./case.ts";

export const leaks: Cases = [
  {
    // test() counts descriptors before and after.
    name: "two thousand selectors leave no descriptor open [O01]",
    run(stage): void {
      const { right } = stage.pair();
      for (let round = 0; round < 2000; round++) {
        using selector = stage.makeLoose();
        selector.register(right, EVENT_READ, "");
        selector.wait(0);
      }
    },
  },
  {
    name: "closing a registered socket closes the connection of its peer [O04]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.connection();
      selector.register(right, EVENT_READ, "right");
      assertEquals(selector.select(0), []);
      right.close();
      const other = stage.make();
      other.register(left, EVENT_READ, "left");
      assertEquals(other.select(1000).length, 1);
      assertEquals(left.recv(new Uint8Array(1)), 0);
    },
  },
  {
    name: "close() leaves the registered sockets open [O04]",
    run(stage): void {
      const selector = stage.makeLoose();
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      selector.close();
      left.send(new Uint8Array(3));
      assertEquals(right.recv(new Uint8Array(9)), 3);
      expectNoEvents(stage.selector);
    },
  },
];
