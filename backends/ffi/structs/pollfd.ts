/**
 * `struct pollfd`: `int fd; short events; short revents;` on every system.
 *
 * @module
 */

/** The bytes of one struct. */
export const POLLFD_BYTES = 8;

/** An array of `struct pollfd` that grows. */
export class PollFds {
  #bytes: ArrayBuffer;
  #words: Int32Array;
  #halves: Uint16Array;

  /**
   * Makes room for the structs.
   *
   * @param capacity How many structs to begin with
   */
  constructor(capacity: number = 32) {
    this.#bytes = new ArrayBuffer(capacity * POLLFD_BYTES);
    this.#words = new Int32Array(this.#bytes);
    this.#halves = new Uint16Array(this.#bytes);
  }

  /** The structs' bytes, for the call that reads and fills them. */
  get bytes(): ArrayBuffer {
    return this.#bytes;
  }

  /** How many structs there is room for. */
  get capacity(): number {
    return this.#bytes.byteLength / POLLFD_BYTES;
  }

  /** Makes room for at least `capacity` structs; those there are stay. */
  reserve(capacity: number): void {
    if (capacity <= this.capacity) return;
    const size = Math.max(capacity, this.capacity * 2) * POLLFD_BYTES;
    // A new buffer, never a resized one: a call that is under way keeps the old.
    const bytes = new ArrayBuffer(size);
    new Uint8Array(bytes).set(new Uint8Array(this.#bytes));
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes);
    this.#halves = new Uint16Array(bytes);
  }

  /** Writes the struct at `index`, with nothing returned yet. */
  set(index: number, fd: number, events: number): void {
    this.#words[2 * index] = fd;
    this.#halves[4 * index + 2] = events;
    this.#halves[4 * index + 3] = 0;
  }

  /** The descriptor of the struct at `index`. */
  fd(index: number): number {
    return this.#words[2 * index]!;
  }

  /** The POLL* bits that the struct at `index` asks for. */
  events(index: number): number {
    return this.#halves[4 * index + 2]!;
  }

  /** The POLL* bits that the struct at `index` came back with. */
  returned(index: number): number {
    return this.#halves[4 * index + 3]!;
  }

  /** Copies the struct at `from` over the one at `to`. */
  move(from: number, to: number): void {
    this.set(to, this.fd(from), this.events(from));
  }
}
