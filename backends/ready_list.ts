/**
 * The result of a wait, in arrays that the next wait fills again.
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
  /** The generation that its registration had at the start of the wait. */
  generations: Int32Array<ArrayBuffer> = new Int32Array(64);
  /** Its `EVENT_*` bits. */
  events: Int32Array<ArrayBuffer> = new Int32Array(64);
  /** The index of each descriptor's entry, if that entry has the descriptor. */
  #places = new Int32Array(64);

  /** Removes all entries. */
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
   * Adds events to a descriptor's entry, or adds the entry: for calls that report each
   * direction separately.
   */
  merge(fd: number, generation: number, events: number): void {
    if (fd >= this.#places.length) {
      this.#places = grown(
        this.#places,
        Math.max(fd + 1, this.#places.length * 2),
      );
    }
    // #places may be of an earlier wait: the entry itself decides.
    const place = this.#places[fd]!;
    if (place < this.count && this.fds[place] === fd) {
      this.events[place]! |= events;
      return;
    }
    this.#places[fd] = this.count;
    this.push(fd, generation, events);
  }
}
