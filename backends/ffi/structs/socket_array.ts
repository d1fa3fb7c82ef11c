/**
 * `fd_set` of Winsock: `u_int fd_count; SOCKET fd_array[]`. The array may be longer than
 * the 64 of `<winsock2.h>`, so it holds any number of sockets.
 *
 * Source: `<winsock2.h>`; "select function" in the Winsock reference.
 *
 * @module
 */

/** Where the sockets start, and the length of each, in words of 32 bits. */
const FIRST = 2;
const STRIDE = 2;

/**
 * A set of sockets, as `FdSet` is one of descriptors. The place of each is known, and
 * checked against the array: so a place that is no longer true does no harm.
 */
export class SocketArray {
  #words = new Int32Array(new ArrayBuffer(4 * (FIRST + STRIDE * 64)));
  #places = new Int32Array(64);

  /** The set's bytes, for the call that reads and fills them. */
  get bytes(): Int32Array<ArrayBuffer> {
    return this.#words;
  }

  /** How many sockets there are. */
  get size(): number {
    return this.#words[0]!;
  }

  /** The socket at a place, from 0. */
  at(place: number): number {
    return this.#words[FIRST + STRIDE * place]!;
  }

  /** Adds a socket. */
  add(fd: number): void {
    if (this.has(fd)) return;
    const place = this.#words[0]!++;
    this.#reserve(place + 1);
    this.#put(fd, place);
  }

  /** Removes a socket. */
  delete(fd: number): void {
    if (!this.has(fd)) return;
    const last = --this.#words[0]!;
    this.#put(this.at(last), this.#places[fd]!);
  }

  /** Whether a socket is in the set. */
  has(fd: number): boolean {
    const place = this.#places[fd];
    return place !== undefined && place < this.size && this.at(place) === fd;
  }

  /** Empties the set. */
  clear(): void {
    this.#words[0] = 0;
  }

  /** Copies another set. */
  copyFrom(other: SocketArray): void {
    this.#reserve(other.size);
    this.#words[0] = other.size;
    for (let place = 0; place < other.size; place++) {
      this.#put(other.at(place), place);
    }
  }

  /** Finds the places of the sockets, after a call has changed the array. */
  find(): void {
    for (let place = 0; place < this.size; place++) {
      this.#put(this.at(place), place);
    }
  }

  #put(fd: number, place: number): void {
    this.#words[FIRST + STRIDE * place] = fd;
    if (fd >= this.#places.length) {
      const places = new Int32Array(Math.max(fd + 1, this.#places.length * 2));
      places.set(this.#places);
      this.#places = places;
    }
    this.#places[fd] = place;
  }

  #reserve(size: number): void {
    const length = FIRST + STRIDE * size;
    if (length <= this.#words.length) return;
    // A new array, never a resized one: a call that is under way keeps the old.
    const words = new Int32Array(new ArrayBuffer(8 * length));
    words.set(this.#words);
    this.#words = words;
  }
}
