/**
 * The pending reads or writes of a connection.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";

/** A pending read or write. */
export interface Request<Result> {
  /** Memory for the bytes, or the bytes. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** The length of the buffer at the time of the call. */
  readonly length: number;
  /** Called with the number of bytes. */
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** A pending read; its result is null at end of file. */
export type ReadRequest = Request<number | null>;

/** Requests in the order of their calls. */
export class RequestQueue<Result> {
  readonly #requests: Request<Result>[] = [];
  readonly #verb: string;
  readonly #transfer: (
    buffer: Uint8Array<ArrayBuffer>,
    length: number,
  ) => number;
  readonly #resultOf: (count: number) => Result;

  /**
   * @param verb The action of a request, for messages: "read into" or "write"
   * @param transfer Receives or sends. Returns the number of bytes, or `WOULD_BLOCK`
   * @param resultOf The result of a request by its number of bytes
   */
  constructor(
    verb: string,
    transfer: (buffer: Uint8Array<ArrayBuffer>, length: number) => number,
    resultOf: (count: number) => Result,
  ) {
    this.#verb = verb;
    this.#transfer = transfer;
    this.#resultOf = resultOf;
  }

  /** How many requests are pending. */
  get length(): number {
    return this.#requests.length;
  }

  /** Appends a request. */
  push(request: Request<Result>): void {
    this.#requests.push(request);
  }

  /** Settles the requests in their order, until one would block. */
  serve(): void {
    while (this.#requests.length > 0) {
      const { buffer, length, resolve, reject } = this.#requests[0]!;
      let count: number;
      try {
        if (buffer.length < length) throw goneError(this.#verb);
        count = this.#transfer(buffer, length);
      } catch (error) {
        this.#requests.shift();
        reject(error);
        continue;
      }
      if (count === WOULD_BLOCK) return;
      this.#requests.shift();
      resolve(this.#resultOf(count));
    }
  }

  /** Fails all requests. */
  fail(errorOf: () => Error): void {
    for (const { reject } of this.#requests.splice(0)) reject(errorOf());
  }
}

/** A buffer may be transferred or resized meanwhile: it would look like end of file. */
function goneError(verb: string): Error {
  return new TypeError(
    `Cannot ${verb} a buffer that was transferred or shrunk meanwhile`,
  );
}
