/**
 * Gives Deno's own event loop a turn: its timers, and its I/O.
 *
 * How a busy thread yields decides who starves. Measured beside a saturated
 * reactor: `setImmediate` turns Deno's timers but hardly its I/O, a
 * `MessageChannel` starves both, `setTimeout(0)` halves the reactor. Awaiting a
 * read that Deno itself makes, on a socket that was written to just before,
 * turns both, in 8 µs: Deno has to go and ask the system.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { type Socket, socketPair } from "../backends/ffi/socket.ts";

const ONE_BYTE = new Uint8Array(new ArrayBuffer(1));

/** A socket pair with one end in Deno's hands. */
export class DenoTurn {
  readonly #ours: Socket;
  readonly #denos: NetSocket;
  #resume: (() => void) | null = null;

  private constructor(ours: Socket, denos: NetSocket) {
    this.#ours = ours;
    this.#denos = denos;
    denos.on("data", () => {
      const resume = this.#resume;
      this.#resume = null;
      resume?.();
    });
    denos.on("error", () => this.#resume?.());
  }

  /** Makes the pair; `node:net` is loaded only now. */
  static async create(): Promise<DenoTurn> {
    const net = await import("node:net");
    const [ours, theirs] = socketPair();
    const options = { fd: theirs.detach(), readable: true, writable: false };
    return new DenoTurn(ours, new net.Socket(options));
  }

  /** Resolves once Deno's loop has been around. */
  take(): Promise<void> {
    const turn = new Promise<void>((resolve) => this.#resume = resolve);
    this.#ours.send(ONE_BYTE);
    return turn;
  }

  /** Whether the pair keeps the process open: only while turns are taken. */
  hold(held: boolean): void {
    if (held) this.#denos.ref();
    else this.#denos.unref();
  }

  /** Closes both ends; resolves when Deno has let go of its own. */
  close(): Promise<void> {
    this.#ours.close();
    return new Promise((resolve) => {
      this.#denos.ref();
      this.#denos.once("close", () => resolve());
      this.#denos.destroy();
    });
  }
}
