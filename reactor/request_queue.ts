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
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** A pending read; its result is null at end of file. */
export type ReadRequest = Request<number | null>;

/** Requests in the order of their calls. There is seldom more than one. */
export abstract class RequestQueue<Result> {
  #first: Request<Result> | null = null;
  #later: Request<Result>[] | null = null;

  /** The action of a request, for messages: "read into" or "write". */
  protected abstract get verb(): string;

  /** Receives or sends. Returns the number of bytes, or `WOULD_BLOCK`. */
  protected abstract transfer(
    buffer: Uint8Array<ArrayBuffer>,
    length: number,
  ): number;

  /** The result of a request by its number of bytes. */
  protected abstract resultOf(count: number): Result;

  /** How many requests are pending. */
  get length(): number {
    if (this.#first === null) return 0;
    return this.#later === null ? 1 : 1 + this.#later.length;
  }

  /** Appends a request. */
  push(request: Request<Result>): void {
    if (this.#first === null) this.#first = request;
    else (this.#later ??= []).push(request);
  }

  /** Settles the requests in their order, until one would block. */
  serve(): void {
    for (let request = this.#first; request !== null; request = this.#first) {
      const { buffer, length } = request;
      let count: number;
      try {
        if (buffer.length < length) throw goneError(this.verb);
        count = this.transfer(buffer, length);
      } catch (error) {
        this.#shift();
        request.reject(error);
        continue;
      }
      if (count === WOULD_BLOCK) return;
      this.#shift();
      request.resolve(this.resultOf(count));
    }
  }

  /** Fails all requests. */
  fail(errorOf: () => Error): void {
    const first = this.#first;
    const later = this.#later ?? [];
    this.#first = this.#later = null;
    first?.reject(errorOf());
    for (const request of later) request.reject(errorOf());
  }

  #shift(): void {
    this.#first = this.#later?.shift() ?? null;
    if (this.#later?.length === 0) this.#later = null;
  }
}

/** A buffer may be transferred or resized meanwhile: it would look like end of file. */
function goneError(verb: string): Error {
  return new TypeError(
    `Cannot ${verb} a buffer that was transferred or shrunk meanwhile`,
  );
}
