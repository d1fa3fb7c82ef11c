/**
 * Lines of text with descriptors, over a Unix socket.
 *
 * @module
 */

import { close, type FileObject } from "../../backends/ffi/descriptor.ts";
import type { Socket } from "../../backends/ffi/socket.ts";
import type { Reactor } from "../../reactor/reactor.ts";

/** The most descriptors of one message: SCM_MAX_FD of Linux, `net/scm.h`. */
export const MAXIMUM_DESCRIPTORS = 253;

const BUFFER_BYTES = 16 * 1024;

/** A line without its end, and the descriptors that came with it. */
export interface Line {
  readonly text: string;
  readonly descriptors: readonly number[];
}

/**
 * Sends a line with descriptors by one message.
 *
 * @throws {Deno.errors.WouldBlock} if the socket has no room for all of it
 * @throws {SystemError} `Deno.errors.BrokenPipe` if the peer is gone, and others
 */
export function sendLine(
  socket: Socket,
  text: string,
  descriptors: readonly FileObject[] = [],
): void {
  const data = new TextEncoder().encode(`${text}\n`);
  if (socket.sendMessage(data, { descriptors }) === data.length) return;
  throw new Deno.errors.WouldBlock(
    `Cannot send a line of ${data.length} bytes at once`,
  );
}

/** Receives lines with promises. */
export class LineSocket implements Disposable {
  readonly socket: Socket;
  readonly #reactor: Reactor;
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #text = "";
  #descriptors: number[] = [];

  /** @param socket The socket, which is closed with this object */
  constructor(reactor: Reactor, socket: Socket) {
    this.#reactor = reactor;
    this.socket = socket;
  }

  /**
   * Waits for a line.
   *
   * @param timeout The longest wait in milliseconds
   * @returns null at end of file
   * @throws {Deno.errors.TimedOut} after the timeout
   * @throws {Deno.errors.InvalidData} if the system could not pass all descriptors
   */
  async line(timeout: number): Promise<Line | null> {
    const expiry = new AbortController();
    const timer = this.#reactor.callLater(timeout, () => {
      const message = `The other process did not answer within ${timeout} ms`;
      expiry.abort(new Deno.errors.TimedOut(message));
    });
    try {
      while (!this.#hasLine) {
        await this.#reactor.readable(this.socket, { signal: expiry.signal });
        if (!this.#receive()) return null;
      }
    } catch (error) {
      // The other process has ended with unread bytes.
      if (error instanceof Deno.errors.ConnectionReset) return null;
      const isLate = error === expiry.signal.reason;
      if (!isLate || !this.#receiveLast()) throw error;
    } finally {
      timer.cancel();
    }
    return this.#takeLine();
  }

  /** Closes the socket, and descriptors of an incomplete line. */
  close(): void {
    this.socket.close();
    for (const fd of this.#descriptors.splice(0)) close(fd);
  }

  /** Closes it at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  get #hasLine(): boolean {
    return this.#text.includes("\n");
  }

  #takeLine(): Line {
    const [text, ...rest] = this.#text.split("\n");
    this.#text = rest.join("\n");
    return { text: text!, descriptors: this.#descriptors.splice(0) };
  }

  /**
   * Receives a line that was sent just before the timeout. A later one is an error for
   * its sender: so both sides agree whether it has arrived.
   */
  #receiveLast(): boolean {
    this.socket.shutdown("read");
    while (!this.#hasLine) if (!this.#receive()) return false;
    return true;
  }

  /** Receives available bytes. Returns false at end of file. */
  #receive(): boolean {
    const options = { descriptors: MAXIMUM_DESCRIPTORS };
    const message = this.socket.receiveMessage(this.#buffer, options);
    if (message === null) return true;
    this.#descriptors.push(...message.descriptors);
    if (message.controlTruncated) {
      throw new Deno.errors.InvalidData(
        "Cannot receive all descriptors of the other process",
      );
    }
    const bytes = this.#buffer.subarray(0, message.bytes);
    this.#text += this.#decoder.decode(bytes, { stream: true });
    return message.bytes > 0;
  }
}
