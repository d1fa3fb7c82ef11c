/**
 * The array of `poll`: a struct for each descriptor, without gaps, and the
 * generation of its registration.
 *
 * @module
 */

import { PollFds } from "./ffi/structs/pollfd.ts";
import { grown } from "./int32_arrays.ts";

/** A dense array of `struct pollfd`, with an index by descriptor. */
export class WatchedFds {
  /** The structs. */
  readonly fds: PollFds;
  /** The generation of each struct's registration. */
  generations: Int32Array<ArrayBuffer> = new Int32Array(32);
  /** The number of structs. */
  size = 0;
  readonly #slots = new Map<number, number>();

  constructor(fds: PollFds = new PollFds()) {
    this.fds = fds;
  }

  /** Adds a descriptor, or changes its events. */
  set(fd: number, events: number, generation: number): void {
    const slot = this.#slots.get(fd) ?? this.size++;
    this.#slots.set(fd, slot);
    this.fds.reserve(this.size);
    if (this.size > this.generations.length) {
      this.generations = grown(this.generations, this.size * 2);
    }
    this.fds.set(slot, fd, events);
    this.generations[slot] = generation;
  }

  /** Removes a descriptor; the last struct takes its place. */
  delete(fd: number): void {
    const slot = this.#slots.get(fd);
    if (slot === undefined) return;
    const last = --this.size;
    this.fds.move(last, slot);
    this.generations[slot] = this.generations[last]!;
    this.#slots.set(this.fds.fd(slot), slot);
    this.#slots.delete(fd);
  }

  /** Returns a copy for a call on another thread, which later registrations do not change. */
  snapshot(): WatchedFds {
    const copy = new WatchedFds(new PollFds(Math.max(this.size, 1)));
    for (let slot = 0; slot < this.size; slot++) {
      copy.fds.set(slot, this.fds.fd(slot), this.fds.events(slot));
    }
    copy.generations = this.generations.slice();
    copy.size = this.size;
    return copy;
  }
}
