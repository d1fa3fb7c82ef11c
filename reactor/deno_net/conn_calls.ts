/**
 * The pending calls of a connection, and the calls of the system for them.
 *
 * @module
 */

import { WOULD_BLOCK } from "../../backends/ffi/descriptor.ts";
import type { Socket } from "../../backends/ffi/socket.ts";
import type { IdleWatch } from "../idle_watch.ts";
import { RequestQueue } from "../request_queue.ts";

/** In place of bytes: the half-close of `closeWrite()`. */
export const END: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** The pending reads. */
export class ConnReads extends RequestQueue<number | null> {
  /** Whether a receive may find bytes: else the next read need not try. */
  mayRead = true;
  /** Whether a short receive may have left bytes or the end of file behind. */
  mayStopShort = false;
  idle: IdleWatch | null = null;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  protected override get verb(): string {
    return "read into";
  }

  protected override transfer(buffer: Uint8Array<ArrayBuffer>): number {
    if (!this.mayRead) return WOULD_BLOCK;
    const count = this.#socket.recv(buffer);
    if (count > 0 && this.idle !== null) this.idle.active = true;
    const gotAll = count > 0 && count < buffer.length && !this.mayStopShort;
    if (count === WOULD_BLOCK || gotAll) this.mayRead = false;
    return count;
  }

  protected override resultOf(count: number): number | null {
    return count === 0 ? null : count;
  }
}

/** The pending writes and half-closes. */
export class ConnWrites extends RequestQueue<number> {
  idle: IdleWatch | null = null;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  /** Sends the bytes for which there is room. Returns how many, or `WOULD_BLOCK`. */
  send(buffer: Uint8Array<ArrayBuffer>, length: number): number {
    // A send of no bytes fails after a half-close, and takes the error of a reset.
    if (length === 0) return 0;
    const count = this.#socket.send(buffer, length);
    if (count > 0 && this.idle !== null) this.idle.active = true;
    return count;
  }

  /** Half-closes. A peer that is gone needs no end of file, and Deno reports no error. */
  shutDown(): number {
    try {
      this.#socket.shutdown("write");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotConnected)) throw error;
    }
    return 0;
  }

  /**
   * Sends the end of file ahead of a close, which is a reset where input is unread
   * (RFC 1122, section 4.2.2.13). The peer then reads the last bytes without an error.
   */
  endBeforeClose(): void {
    try {
      this.#socket.shutdown("write");
    } catch {
      // The peer is gone, or the descriptor: there is nothing to end.
    }
  }

  protected override get verb(): string {
    return "write";
  }

  protected override transfer(
    buffer: Uint8Array<ArrayBuffer>,
    length: number,
  ): number {
    return buffer === END ? this.shutDown() : this.send(buffer, length);
  }

  protected override resultOf(count: number): number {
    return count;
  }
}
