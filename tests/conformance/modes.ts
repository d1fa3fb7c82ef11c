/**
 * Level-triggered, edge-triggered and one-shot registrations.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { openFile } from "../../backends/ffi/mod.ts";
import {
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  MODE_EDGE,
  MODE_EXCLUSIVE,
  MODE_ONE_SHOT,
} from "../../backends/mod.ts";
import { bytesOf, drainSocket, expectEvents, expectNoEvents } from "../util.ts";
import { OPTIONAL } from "../backends.ts";
import type { Cases, Stage } from "./case.ts";

function checkRefused(stage: Stage, bit: number): void {
  const { selector } = stage;
  const { left, right } = stage.pair();
  selector.register(left, EVENT_READ, "left");
  for (
    const call of [
      () => selector.register(right, EVENT_READ | bit, ""),
      () => selector.modify(left, EVENT_READ | bit, ""),
    ]
  ) assertThrows(call, Deno.errors.NotSupported, "Selector lacks");
  assertEquals([...selector.getMap().keys()], [left.fd]);
}

export const modes: Cases = [
  {
    name: "a socket is ready while there is more to read [D01]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      left.send(bytesOf("ab"));
      for (let round = 0; round < 2; round++) {
        expectEvents(selector, [["right", EVENT_READ]]);
        right.recv(new Uint8Array(1));
      }
      expectNoEvents(selector);
    },
  },
  {
    name: "MODE_EDGE reports new data once, and again when more arrives [D02]",
    needs: "edge",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ | MODE_EDGE, "right");
      left.send(bytesOf("a"));
      expectEvents(selector, [["right", EVENT_READ]]);
      expectNoEvents(selector);
      left.send(bytesOf("b"));
      expectEvents(selector, [["right", EVENT_READ]]);
    },
  },
  {
    name: "MODE_EDGE reports data from before register() [D04]",
    needs: "edge",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("a"));
      selector.register(right, EVENT_READ | MODE_EDGE, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
    },
  },
  {
    name:
      "MODE_EDGE reports new data after draining, of a stream and of datagrams [D05]",
    needs: "edge",
    run(stage): void {
      for (const type of ["stream", "datagram"] as const) {
        const { selector } = stage;
        const { left, right } = stage.pair(type);
        selector.register(right, EVENT_READ | MODE_EDGE, type);
        for (let round = 0; round < 3; round++) {
          left.send(bytesOf("a"));
          expectEvents(selector, [[type, EVENT_READ]]);
          drainSocket(right);
          expectNoEvents(selector);
        }
      }
    },
  },
  {
    name: "MODE_EDGE of a listener is one event for two connections [D09]",
    needs: "edge",
    run(stage): void {
      const { selector } = stage;
      const listener = stage.listener();
      for (let client = 0; client < 2; client++) {
        stage.socket().connect(listener.localAddress);
      }
      selector.register(listener, EVENT_READ | MODE_EDGE, "listener");
      expectEvents(selector, [["listener", EVENT_READ]]);
      expectNoEvents(selector);
      for (let client = 0; client < 2; client++) listener.accept()!.close();
      assertEquals(listener.accept(), null);
    },
  },
  {
    name:
      "MODE_EDGE of a regular file is one event, and no wait spins [D02] [B24]",
    needs: ["edge", "anyFile"],
    run(stage): void {
      const { selector } = stage;
      const file = stage.fd(openFile(new URL(import.meta.url).pathname));
      selector.register(file, EVENT_READ | MODE_EDGE, "file");
      expectEvents(selector, [["file", EVENT_READ]]);
      expectNoEvents(selector);
      selector.modify(file, EVENT_READ, "file");
      expectEvents(selector, [["file", EVENT_READ]]);
      expectEvents(selector, [["file", EVENT_READ]]);
    },
  },
  {
    name: "MODE_ONE_SHOT reports once, until modify() arms it again [D03]",
    needs: "oneShot",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ | MODE_ONE_SHOT, "right");
      left.send(bytesOf("a"));
      for (let round = 0; round < 2; round++) {
        expectEvents(selector, [["right", EVENT_READ]]);
        left.send(bytesOf("b"));
        expectNoEvents(selector);
        selector.modify(right, EVENT_READ | MODE_ONE_SHOT, "right");
      }
    },
  },
  {
    name: "MODE_ONE_SHOT covers both events together [D03]",
    needs: "oneShot",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(
        right,
        EVENT_READ | EVENT_WRITE | MODE_ONE_SHOT,
        "right",
      );
      expectEvents(selector, [["right", EVENT_WRITE]]);
      left.send(bytesOf("a"));
      expectNoEvents(selector);
    },
  },
  {
    name:
      "MODE_ONE_SHOT of a regular file is one event, until modify() arms it again [D03]",
    needs: ["oneShot", "anyFile"],
    run(stage): void {
      const { selector } = stage;
      const file = stage.fd(openFile(new URL(import.meta.url).pathname));
      selector.register(file, EVENT_READ | MODE_ONE_SHOT, "file");
      for (let round = 0; round < 2; round++) {
        expectEvents(selector, [["file", EVENT_READ]]);
        expectNoEvents(selector);
        selector.modify(file, EVENT_READ | MODE_ONE_SHOT, "file");
      }
    },
  },
  {
    name:
      "MODE_EDGE and MODE_ONE_SHOT together report pending data at once when armed again [D04]",
    needs: ["edge", "oneShot"],
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const events = EVENT_READ | MODE_EDGE | MODE_ONE_SHOT;
      selector.register(right, events, "right");
      left.send(bytesOf("a"));
      expectEvents(selector, [["right", EVENT_READ]]);
      expectNoEvents(selector);
      selector.modify(right, events, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
    },
  },
  {
    name: "modify() changes the mode both ways [D06]",
    needs: "edge",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("a"));
      selector.register(right, EVENT_READ, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
      expectEvents(selector, [["right", EVENT_READ]]);
      selector.modify(right, EVENT_READ | MODE_EDGE, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
      expectNoEvents(selector);
      selector.modify(right, EVENT_READ, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
      expectEvents(selector, [["right", EVENT_READ]]);
    },
  },
  {
    name: "MODE_EXCLUSIVE reports, and can be modified [D06]",
    needs: "exclusive",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("a"));
      selector.register(right, EVENT_READ | MODE_EXCLUSIVE, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
      selector.modify(right, EVENT_WRITE | MODE_EXCLUSIVE, "right");
      expectEvents(selector, [["right", EVENT_WRITE]]);
      selector.modify(right, EVENT_READ, "right");
      expectEvents(selector, [["right", EVENT_READ]]);
    },
  },
  {
    name: "MODE_EDGE is refused where it is not supported [D07]",
    lacks: "edge",
    run: (stage) => checkRefused(stage, MODE_EDGE),
  },
  {
    name: "MODE_ONE_SHOT is refused where it is not supported [D07]",
    lacks: "oneShot",
    run: (stage) => checkRefused(stage, MODE_ONE_SHOT),
  },
  {
    name: "MODE_EXCLUSIVE is refused where it is not supported [D07]",
    lacks: "exclusive",
    run: (stage) => checkRefused(stage, MODE_EXCLUSIVE),
  },
  {
    name: "EVENT_PRIORITY is refused where it is not supported [D07]",
    lacks: "priority",
    run: (stage) => checkRefused(stage, EVENT_PRIORITY),
  },
  {
    name: "EVENT_HANG_UP is refused where it is not supported [D07]",
    lacks: "hangUp",
    run: (stage) => checkRefused(stage, EVENT_HANG_UP),
  },
  {
    name: "register() accepts everything in supported",
    run(stage): void {
      const { selector } = stage;
      const { right } = stage.connection();
      for (const [needed, events] of Object.entries(OPTIONAL)) {
        if ((selector.supported & events) === 0) continue;
        selector.register(right, EVENT_READ | events, needed);
        selector.unregister(right);
      }
    },
  },
];
