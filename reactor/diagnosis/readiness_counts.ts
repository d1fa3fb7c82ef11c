/**
 * How often each descriptor was ready, and how often in a row without progress.
 *
 * @module
 */

import { closesOf, movesOf } from "../../backends/ffi/transfers.ts";
import type { Counts } from "../observer.ts";

/** The columns by descriptor, allocated when diagnosis begins. */
export class ReadinessCounts implements Counts {
  #since = new Float64Array(64).fill(NaN);
  #ready = new Uint32Array(64);
  #idle = new Uint32Array(64);
  #reported = new Uint8Array(64);
  #moves = new Uint32Array(64);
  #closes = new Uint32Array(64);

  /** Notes the time of a registration. */
  registered(fd: number, time: number): void {
    this.#renew(fd);
    this.#since[fd] = time;
  }

  since(fd: number): number | null {
    const time = this.#isCurrent(fd) ? this.#since[fd]! : NaN;
    return Number.isNaN(time) ? null : time;
  }

  ready(fd: number): number {
    return this.#isCurrent(fd) ? this.#ready[fd]! : 0;
  }

  idle(fd: number): number {
    return this.#isCurrent(fd) ? this.#idle[fd]! : 0;
  }

  /**
   * Returns whether data was moved since the last call. A program that awaits
   * `readable()` reads after the event.
   */
  moved(fd: number): boolean {
    this.#renew(fd);
    const moves = movesOf(fd);
    if (this.#moves[fd] === moves) return false;
    this.#moves[fd] = moves;
    return true;
  }

  /** Counts an event with progress, which permits another report. */
  countProgress(fd: number): void {
    this.#renew(fd);
    this.#ready[fd]!++;
    this.#idle[fd] = this.#reported[fd] = 0;
  }

  /** Counts an event without progress. Returns how many there were in a row. */
  countIdle(fd: number): number {
    this.#renew(fd);
    this.#ready[fd]!++;
    return ++this.#idle[fd]!;
  }

  /** Returns whether a spin of the descriptor is reported for the first time. */
  reports(fd: number): boolean {
    if (this.#reported[fd] === 1) return false;
    this.#reported[fd] = 1;
    return true;
  }

  /**
   * Whether the counts are those of the present file. A paused one is not registered, and
   * its number may have had another owner before.
   */
  #isCurrent(fd: number): boolean {
    return this.#closes[fd] === closesOf(fd);
  }

  /** Makes room, and begins the counts anew if the descriptor was closed meanwhile. */
  #renew(fd: number): void {
    if (fd >= this.#ready.length) this.#grow(fd + 1);
    const closes = closesOf(fd);
    if (this.#closes[fd] === closes) return;
    this.#closes[fd] = closes;
    this.#since[fd] = NaN;
    this.#moves[fd] = this.#ready[fd] = this.#idle[fd] = 0;
    this.#reported[fd] = 0;
  }

  #grow(least: number): void {
    const before = this.#ready.length;
    const length = Math.max(least, before * 2);
    const since = new Float64Array(length).fill(NaN, before);
    since.set(this.#since);
    this.#since = since;
    const copied = <C extends Uint32Array | Uint8Array>(to: C, from: C): C => {
      to.set(from);
      return to;
    };
    this.#ready = copied(new Uint32Array(length), this.#ready);
    this.#idle = copied(new Uint32Array(length), this.#idle);
    this.#moves = copied(new Uint32Array(length), this.#moves);
    this.#closes = copied(new Uint32Array(length), this.#closes);
    this.#reported = copied(new Uint8Array(length), this.#reported);
  }
}
