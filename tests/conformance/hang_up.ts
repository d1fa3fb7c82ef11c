/**
 * Ends of files, hang-ups and errors: each ends a wait.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { read, type Socket, write } from "../../backends/ffi/mod.ts";
import { EVENT_HANG_UP, EVENT_READ, EVENT_WRITE } from "../../backends/mod.ts";
import {
  bytesOf,
  drainSocket,
  expectEvents,
  expectNoEvents,
  fillSocket,
} from "../util.ts";
import type { Cases } from "./case.ts";

/** Resets a connection: SO_LINGER on, with a timeout of 0. */
function reset(socket: Socket): void {
  const { SOL_SOCKET, SO_LINGER } = system().constants;
  const linger = new Uint8Array(Int32Array.of(1, 0).buffer);
  socket.setRawOption(SOL_SOCKET, SO_LINGER, linger);
  socket.close();
}

export const hangUp: Cases = [
  {
    name:
      "a half-close by the peer makes a socket readable, and it remains writable [C01]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.connection();
      selector.register(right, EVENT_READ, "right");
      left.shutdown("write");
      expectEvents(selector, [["right", EVENT_READ]]);
      assertEquals(right.recv(new Uint8Array(1)), 0);
      assertEquals(right.send(bytesOf("still here")), 10);
      selector.register(left, EVENT_READ, "left");
      expectEvents(selector, [["left", EVENT_READ], ["right", EVENT_READ]]);
      assertEquals(drainSocket(left), 10);
    },
  },
  {
    name: "data that arrived before the end of file is read first [C02]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      left.send(bytesOf("last words"));
      left.close();
      const buffer = new Uint8Array(4);
      for (const count of [4, 4, 2, 0]) {
        expectEvents(selector, [["right", EVENT_READ]]);
        assertEquals(right.recv(buffer), count);
      }
    },
  },
  {
    name: "a second read at end of file returns end of file again [C17]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      left.close();
      for (let round = 0; round < 3; round++) {
        expectEvents(selector, [["right", EVENT_READ]]);
        assertEquals(right.recv(new Uint8Array(1)), 0);
      }
    },
  },
  {
    name:
      "a closed write end of a pipe makes the read end readable, by a hang-up alone [C03] [C05]",
    run(stage): void {
      const { selector } = stage;
      const { reader, writer } = stage.pipe();
      selector.register(reader, EVENT_READ, "reader");
      writer.close();
      expectEvents(selector, [["reader", EVENT_READ]]);
      assertEquals(read(reader, new Uint8Array(1)), 0);
    },
  },
  {
    name:
      "a closed read end of a full pipe makes the write end writable, by an error alone [C04] [C05]",
    needs: "anyFile",
    run(stage): void {
      const { selector } = stage;
      const { reader, writer } = stage.pipe();
      fillSocket(writer);
      selector.register(writer, EVENT_WRITE, "writer");
      expectNoEvents(selector);
      reader.close();
      expectEvents(selector, [["writer", EVENT_WRITE]]);
      assertThrows(
        () => write(writer, bytesOf("x")),
        Deno.errors.BrokenPipe,
      );
    },
  },
  {
    name: "a closed peer makes a socket readable and writable [C05]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      fillSocket(right);
      selector.register(right, EVENT_READ | EVENT_WRITE, "right");
      expectNoEvents(selector);
      left.close();
      expectEvents(selector, [["right", EVENT_READ | EVENT_WRITE]]);
    },
  },
  {
    name: "a reset makes a socket readable, and its read reports it [C06]",
    needs: "keepsErrors",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.connection();
      selector.register(right, EVENT_READ, "right");
      reset(left);
      expectEvents(selector, [["right", EVENT_READ]]);
      assertThrows(
        () => right.recv(new Uint8Array(1)),
        Deno.errors.ConnectionReset,
      );
    },
  },
  {
    name: "EVENT_HANG_UP reports a half-close while bytes are still unread",
    needs: ["hangUp", "hangUpBehindData"],
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.connection();
      selector.register(right, EVENT_READ | EVENT_HANG_UP, "right");
      left.send(bytesOf("last words"));
      expectEvents(selector, [["right", EVENT_READ]]);
      left.shutdown("write");
      expectEvents(selector, [["right", EVENT_READ | EVENT_HANG_UP]]);
    },
  },
  {
    name: "EVENT_HANG_UP alone reports only a hang-up or an error",
    needs: ["hangUp", "hangUpBehindData"],
    run(stage): void {
      const { selector } = stage;
      for (const end of [(peer: Socket) => peer.shutdown("write"), reset]) {
        const { left, right } = stage.connection();
        selector.register(right, EVENT_HANG_UP, "right");
        left.send(bytesOf("x"));
        expectNoEvents(selector);
        end(left);
        expectEvents(selector, [["right", EVENT_HANG_UP]]);
        selector.unregister(right);
      }
    },
  },
  {
    name: "a write after shutdown() is an error, never a signal [C11]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      selector.register(left, EVENT_WRITE, "left");
      left.shutdown("write");
      expectEvents(selector, [["left", EVENT_WRITE]]);
      assertThrows(() => left.send(bytesOf("x")), Deno.errors.BrokenPipe);
    },
  },
  {
    name: "a hung-up socket that is not registered ends no wait [C15]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      left.close();
      expectEvents(selector, [["right", EVENT_READ]]);
      selector.unregister(right);
      expectNoEvents(selector);
    },
  },
];
