/**
 * `struct pollfd`: a descriptor, the events to wait for, and those that came.
 *
 * Windows has it as `WSAPOLLFD`, with bits of its own.
 *
 * Sources: `<poll.h>`; `<winsock2.h>`, "WSAPoll function" in the Winsock reference.
 *
 * @module
 */

import { isWindows } from "../current_system.ts";

/** A `struct pollfd`: where its fields are, and how its bits become POSIX' POLL*. */
export interface PollfdLayout {
  readonly size: 8 | 16;
  /** Where `short events` is; `short revents` follows. */
  readonly events: 4 | 8;
  /** From POLL* to the bits of the system. */
  encode(events: number): number;
  /** From the bits of the system to POLL*. */
  decode(bits: number): number;
}

/** `int fd; short events; short revents;`, with the same bits on every POSIX system. */
export const posixPollfd: PollfdLayout = {
  size: 8,
  events: 4,
  encode: (events) => events,
  decode: (bits) => bits,
};

// POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP and POLLNVAL of <poll.h>
const [IN, PRI, OUT, ERR, HUP, NVAL] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20];

// <winsock2.h>
const POLLRDNORM = 0x100;
const POLLRDBAND = 0x200;
const POLLWRNORM = 0x010;
const POLLERR = 0x001;
const POLLHUP = 0x002;
const POLLNVAL = 0x004;

/**
 * `SOCKET fd; SHORT events; SHORT revents;`. `WSAPoll` fails if `events` has another bit
 * than these three, such as one that it returns unasked. Its POLLIN would include urgent
 * data.
 */
export const wsaPollfd: PollfdLayout = {
  size: 16,
  events: 8,
  encode: (events) =>
    (events & IN ? POLLRDNORM : 0) |
    (events & PRI ? POLLRDBAND : 0) |
    (events & OUT ? POLLWRNORM : 0),
  decode: (bits) =>
    (bits & POLLRDNORM ? IN : 0) |
    (bits & POLLRDBAND ? PRI : 0) |
    (bits & POLLWRNORM ? OUT : 0) |
    (bits & POLLERR ? ERR : 0) |
    (bits & POLLHUP ? HUP : 0) |
    (bits & POLLNVAL ? NVAL : 0),
};

/** The layout of this system. */
const own = isWindows ? wsaPollfd : posixPollfd;

/** An array of `struct pollfd` that grows. */
export class PollFds {
  readonly #layout: PollfdLayout;
  /** The number of words of a struct, and the place of its events in halves. */
  readonly #stride: number;
  readonly #events: number;
  #bytes: ArrayBuffer;
  #words: Int32Array;
  #halves: Uint16Array;

  /**
   * Makes room for the structs.
   *
   * @param capacity How many structs to begin with
   * @param layout Default: that of this system
   */
  constructor(capacity: number = 32, layout: PollfdLayout = own) {
    this.#layout = layout;
    this.#stride = layout.size / 4;
    this.#events = layout.events / 2;
    this.#bytes = new ArrayBuffer(capacity * layout.size);
    this.#words = new Int32Array(this.#bytes);
    this.#halves = new Uint16Array(this.#bytes);
  }

  /** The structs' bytes, for the call that reads and fills them. */
  get bytes(): ArrayBuffer {
    return this.#bytes;
  }

  /** How many structs there is room for. */
  get capacity(): number {
    return this.#words.length / this.#stride;
  }

  /** Makes room for at least `capacity` structs; those there are stay. */
  reserve(capacity: number): void {
    if (capacity <= this.capacity) return;
    const size = Math.max(capacity, this.capacity * 2) * this.#layout.size;
    // A new buffer, never a resized one: a call that is under way keeps the old.
    const bytes = new ArrayBuffer(size);
    new Uint8Array(bytes).set(new Uint8Array(this.#bytes));
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes);
    this.#halves = new Uint16Array(bytes);
  }

  /** Writes the struct at `index`, with nothing returned yet. */
  set(index: number, fd: number, events: number): void {
    this.#words[this.#stride * index] = fd;
    const start = 2 * this.#stride * index + this.#events;
    this.#halves[start] = this.#layout.encode(events);
    this.#halves[start + 1] = 0;
  }

  /** The descriptor of the struct at `index`. */
  fd(index: number): number {
    return this.#words[this.#stride * index]!;
  }

  /** The POLL* bits that the struct at `index` asks for. */
  events(index: number): number {
    const start = 2 * this.#stride * index + this.#events;
    return this.#layout.decode(this.#halves[start]!);
  }

  /** The POLL* bits that the struct at `index` came back with. */
  returned(index: number): number {
    const start = 2 * this.#stride * index + this.#events;
    return this.#layout.decode(this.#halves[start + 1]!);
  }

  /** Writes that the struct at `index` came back because its descriptor is not open. */
  setInvalid(index: number): void {
    const start = 2 * this.#stride * index + this.#events;
    this.#halves[start + 1] = this.#layout === wsaPollfd ? POLLNVAL : NVAL;
  }

  /** Copies the struct at `from` over the one at `to`. */
  move(from: number, to: number): void {
    this.set(to, this.fd(from), this.events(from));
  }
}
