/**
 * `struct kevent`: a filter on an identifier, and its result. Each BSD has its own
 * layout.
 *
 * @module
 */

import type { Platform } from "../system.ts";

/** `struct kevent`, which every BSD lays out in its own way. */
export interface KeventLayout {
  readonly size: number;
  readonly ident: number;
  readonly filter: number;
  /** Bytes of `filter` and of `flags`: 2, or 4 on NetBSD. */
  readonly filterBytes: 2 | 4;
  readonly flags: number;
  readonly fflags: number;
  readonly data: number;
  readonly udata: number;
}

/** macOS, where it is packed to 4 bytes, which moves nothing; libkqueue has the same. */
export const plainKevent: KeventLayout = {
  size: 32,
  ident: 0,
  filter: 8,
  filterBytes: 2,
  flags: 10,
  fflags: 12,
  data: 16,
  udata: 24,
};

/** By system: `<sys/event.h>` of each. */
const layouts: Readonly<Record<string, KeventLayout>> = {
  darwin: plainKevent,
  // Since FreeBSD 12 it ends with uint64_t ext[4].
  freebsd: { ...plainKevent, size: 64 },
  // 32-bit filter and flags, and four bytes of padding after fflags.
  netbsd: {
    size: 40,
    ident: 0,
    filter: 8,
    filterBytes: 4,
    flags: 12,
    fflags: 16,
    data: 24,
    udata: 32,
  },
};

/** The layout of a system; null without kqueue. */
export function keventLayout({ os }: Platform): KeventLayout | null {
  return layouts[os] ?? null;
}

/** One `struct kevent`: a change to make, or a reported event. */
export interface Kevent {
  /** The watched object: the descriptor, for the filters of descriptors. */
  readonly ident: number;
  /** EVFILT_*: the events of the object that are watched. */
  readonly filter: number;
  /** EV_*: the change to make, or the conditions that were found. */
  readonly flags: number;
  /** NOTE_*: flags of the filter; the error number of a socket that ended. */
  readonly fflags: number;
  /** A number of the filter: bytes that wait, connections that wait, an errno. */
  readonly data: number;
  /** 32 bits of user data. */
  readonly udata: number;
}

/** An array of `struct kevent`. */
export class Kevents {
  /** The structs' bytes, for the call that reads or fills them. */
  readonly bytes: ArrayBuffer;
  /** How many structs there are. */
  readonly capacity: number;
  readonly #layout: KeventLayout;
  readonly #view: DataView;

  /**
   * Makes room for the structs.
   *
   * @param layout `struct kevent` of this system
   * @param capacity How many structs
   */
  constructor(layout: KeventLayout, capacity: number) {
    this.capacity = capacity;
    this.bytes = new ArrayBuffer(layout.size * capacity);
    this.#layout = layout;
    this.#view = new DataView(this.bytes);
  }

  /** Writes the struct at `index`. */
  set(
    index: number,
    ident: number,
    filter: number,
    flags: number,
    fflags: number,
    data: number,
    udata: number,
  ): void {
    const layout = this.#layout;
    const view = this.#view;
    const start = index * layout.size;
    view.setUint32(start + layout.ident, ident, true);
    view.setUint32(start + layout.ident + 4, 0, true);
    if (layout.filterBytes === 2) {
      view.setInt16(start + layout.filter, filter, true);
      view.setUint16(start + layout.flags, flags, true);
    } else {
      view.setUint32(start + layout.filter, filter, true);
      view.setUint32(start + layout.flags, flags, true);
    }
    view.setUint32(start + layout.fflags, fflags, true);
    view.setUint32(start + layout.data, data, true);
    view.setInt32(start + layout.data + 4, Math.floor(data / 2 ** 32), true);
    view.setInt32(start + layout.udata, udata, true);
    view.setInt32(start + layout.udata + 4, 0, true);
  }

  /** The object that the struct at `index` watches. */
  ident(index: number): number {
    return this.#view.getUint32(
      index * this.#layout.size + this.#layout.ident,
      true,
    );
  }

  /** The EVFILT_* of the struct at `index`. */
  filter(index: number): number {
    const offset = index * this.#layout.size + this.#layout.filter;
    return this.#layout.filterBytes === 2
      ? this.#view.getInt16(offset, true)
      : this.#view.getUint32(offset, true);
  }

  /** The EV_* bits of the struct at `index`. */
  flags(index: number): number {
    const offset = index * this.#layout.size + this.#layout.flags;
    return this.#layout.filterBytes === 2
      ? this.#view.getUint16(offset, true)
      : this.#view.getUint32(offset, true);
  }

  /** The NOTE_* bits of the struct at `index`. */
  fflags(index: number): number {
    return this.#view.getUint32(
      index * this.#layout.size + this.#layout.fflags,
      true,
    );
  }

  /** The filter's number in the struct at `index`. */
  data(index: number): number {
    const offset = index * this.#layout.size + this.#layout.data;
    return this.#view.getUint32(offset, true) +
      this.#view.getInt32(offset + 4, true) * 2 ** 32;
  }

  /** The user data in the struct at `index`. */
  udata(index: number): number {
    return this.#view.getInt32(
      index * this.#layout.size + this.#layout.udata,
      true,
    );
  }

  /** The whole struct at `index`. */
  get(index: number): Kevent {
    return {
      ident: this.ident(index),
      filter: this.filter(index),
      flags: this.flags(index),
      fflags: this.fflags(index),
      data: this.data(index),
      udata: this.udata(index),
    };
  }
}
