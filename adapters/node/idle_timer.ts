/**
 * The idle event of a socket, which Node calls its timeout.
 *
 * @module
 */

import { withCode } from "./errors.ts";

/**
 * Calls back after a time without activity, and again after each further such time.
 *
 * `node:http` sets the time twice for each request. So a running timer is replaced only
 * if it ends too late. When it ends, it is set again for the rest of the time.
 */
export class IdleTimer {
  readonly #onIdle: () => void;
  #milliseconds = 0;
  #activeAt = 0;
  #endsAt = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  /**
   * Begins a time.
   *
   * @param milliseconds 0 for none
   * @throws {TypeError} if it is not a number; the `code` is "ERR_INVALID_ARG_TYPE"
   * @throws {RangeError} if it is negative or not finite; the `code` is "ERR_OUT_OF_RANGE"
   */
  set(milliseconds: number): void {
    checkTime(milliseconds);
    this.#milliseconds = milliseconds;
    if (milliseconds === 0) return;
    this.#activeAt = performance.now();
    const endsAt = this.#activeAt + milliseconds;
    if (this.#timer === null || this.#endsAt > endsAt) this.#arm(endsAt);
  }

  /** Notes an activity: the time begins anew. */
  note(): void {
    if (this.#milliseconds > 0) this.#activeAt = performance.now();
  }

  /** Cancels the timer. */
  stop(): void {
    this.#milliseconds = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(endsAt: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#endsAt = endsAt;
    const rest = Math.max(endsAt - performance.now(), 0);
    const timer = setTimeout(() => this.#end(), Math.ceil(rest));
    // As in Node, a socket keeps the process alive, its timeout does not.
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  #end(): void {
    this.#timer = null;
    if (this.#milliseconds === 0) return;
    const endsAt = this.#activeAt + this.#milliseconds;
    if (performance.now() < endsAt) return this.#arm(endsAt);
    this.#activeAt = performance.now();
    this.#onIdle();
  }
}

function checkTime(milliseconds: number): void {
  if (typeof milliseconds !== "number") {
    const why = `Cannot use a timeout of type ${typeof milliseconds}`;
    throw withCode("ERR_INVALID_ARG_TYPE", new TypeError(why));
  }
  if (!(milliseconds >= 0 && milliseconds < Infinity)) {
    const why = `Cannot use a timeout of ${milliseconds} milliseconds`;
    throw withCode("ERR_OUT_OF_RANGE", new RangeError(why));
  }
}
