/**
 * What one wait has found, in arrays that are filled again by the next.
 *
 * @module
 */

import { grown } from "./int32_arrays.ts";

/** Descriptors, the generations of their registrations, and their events. */
export class ReadyList {
  /** How many entries there are. */
  count = 0;
  /** The descriptor of each entry. */
  fds: Int32Array<ArrayBuffer> = new Int32Array(64);
  /** The generation that its registration had when the wait began. */
  generations: Int32Array<ArrayBuffer> = new Int32Array(64);
  /** Its `EVENT_*` bits. */
  events: Int32Array<ArrayBuffer> = new Int32Array(64);
  /** Where each descriptor's entry is, if it is where this says. */
  #places = new Int32Array(64);

  /** Forgets all entries. */
  clear(): void {
    this.count = 0;
  }

  /** Makes room for at least `capacity` entries. */
  reserve(capacity: number): void {
    if (capacity <= this.fds.length) return;
    const size = Math.max(capacity, this.fds.length * 2);
    this.fds = grown(this.fds, size);
    this.generations = grown(this.generations, size);
    this.events = grown(this.events, size);
  }

  /** Adds an entry; there must be room. */
  push(fd: number, generation: number, events: number): void {
    const index = this.count++;
    this.fds[index] = fd;
    this.generations[index] = generation;
    this.events[index] = events;
  }

  /**
   * Adds events to a descriptor's entry, or an entry if there is none: for
   * calls that report each direction on its own.
   */
  merge(fd: number, generation: number, events: number): void {
    if (fd >= this.#places.length) {
      this.#places = grown(
        this.#places,
        Math.max(fd + 1, this.#places.length * 2),
      );
    }
    // What #places says may be of an earlier wait: the entry itself tells.
    const place = this.#places[fd]!;
    if (place < this.count && this.fds[place] === fd) {
      this.events[place]! |= events;
      return;
    }
    this.#places[fd] = this.count;
    this.push(fd, generation, events);
  }
}
