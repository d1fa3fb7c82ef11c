/**
 * `struct epoll_event`: the events, and 64 bits of user data.
 *
 * Here the user data is two words: the descriptor, and the generation of its
 * registration.
 *
 * @module
 */

import type { Platform } from "../system.ts";

/** `struct epoll_event`: packed on x86-64, and only there. */
export interface EpollEventLayout {
  readonly size: number;
  readonly events: number;
  readonly data: number;
}

/** The layout of a system; null without epoll. */
export function epollEventLayout(
  { os, arch }: Platform,
): EpollEventLayout | null {
  if (os !== "linux") return null;
  // <linux/eventpoll.h>: __attribute__((packed)) under #ifdef __x86_64__ alone
  return arch === "x86_64"
    ? { size: 12, events: 0, data: 4 }
    : { size: 16, events: 0, data: 8 };
}

/**
 * An array of `struct epoll_event`, in one layout or the other. All fields are
 * multiples of four bytes in both, so one `Int32Array` reads them.
 */
export class EpollEvents {
  /** The structs' bytes, for the call that reads or fills them. */
  readonly bytes: ArrayBuffer;
  /** How many structs there are. */
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #stride: number;
  readonly #eventsWord: number;
  readonly #dataWord: number;

  /**
   * Makes room for the structs.
   *
   * @param layout `struct epoll_event` of this system
   * @param capacity How many structs
   */
  constructor(layout: EpollEventLayout, capacity: number) {
    this.capacity = capacity;
    this.bytes = new ArrayBuffer(layout.size * capacity);
    this.#words = new Int32Array(this.bytes);
    this.#stride = layout.size / 4;
    this.#eventsWord = layout.events / 4;
    this.#dataWord = layout.data / 4;
  }

  /** Writes the struct at `index`. */
  set(index: number, events: number, fd: number, generation: number): void {
    const start = index * this.#stride;
    this.#words[start + this.#eventsWord] = events;
    this.#words[start + this.#dataWord] = fd;
    this.#words[start + this.#dataWord + 1] = generation;
  }

  /** The EPOLL* bits of the struct at `index`. */
  events(index: number): number {
    return this.#words[index * this.#stride + this.#eventsWord]! >>> 0;
  }

  /** The descriptor in the struct at `index`. */
  fd(index: number): number {
    return this.#words[index * this.#stride + this.#dataWord]!;
  }

  /** The generation in the struct at `index`. */
  generation(index: number): number {
    return this.#words[index * this.#stride + this.#dataWord + 1]!;
  }
}
