/**
 * The fast path of short answers. Deno's `node:http` passes an answer that is one text
 * to the handle of its socket, and not to the stream.
 *
 * The path is not documented. Deno takes it if the socket has a `_handle` with these
 * members, and otherwise writes to the stream. Only speed depends on it.
 *
 * Source: `tryDirectEnd` in `ext/node/polyfills/_http_outgoing.ts` of Deno 2.9.
 *
 * @module
 */

import { encoded } from "./gather.ts";

/** Sends bytes. Calls back with the error, or with null when the system has them. */
export type Send = (
  data: Uint8Array<ArrayBuffer>,
  done: (error?: Error | null) => void,
) => void;

/** The object that `node:http` makes for a write. */
interface WriteRequest {
  oncomplete(status: number): void;
}

/** Returned for a write that calls `oncomplete()` later. */
const ASYNC = 1;

/** The members of a handle that `node:http` looks for. */
export class DirectHandle {
  /** Whether it can be written to directly. */
  readonly isStreamBase: boolean = true;
  /** Keeps the parser from reading the handle: it gets the bytes of the stream. */
  readonly _consumed: boolean = true;
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Sends a head with a body of UTF-8. */
  writeUtf8String(request: WriteRequest, text: string): number {
    return this.#write(request, text, "utf8");
  }

  /** Sends a head, or a head with a body of Latin-1. */
  writeLatin1String(request: WriteRequest, text: string): number {
    return this.#write(request, text, "latin1");
  }

  #write(
    request: WriteRequest,
    text: string,
    encoding: BufferEncoding,
  ): number {
    this.#send(encoded(text, encoding), (error) => {
      // An error destroys the stream by its connection. Under load the queue of
      // `process.nextTick` is emptied later than that of microtasks.
      if (!error) queueMicrotask(() => request.oncomplete(0));
    });
    return ASYNC;
  }
}
