/**
 * The descriptors of a guest. Their numbers are the guest's own and give no access
 * to descriptors of the host.
 *
 * @module
 */

import { EBADF, EMFILE, Refusal } from "../../backends/wasi/errno.ts";

/** Entries by number. A new entry gets the lowest free number, as in POSIX. */
export class FdTable<Entry> {
  readonly #entries: (Entry | undefined)[] = [];
  readonly #most: number;
  /** No lower number is free. */
  #firstFree = 0;
  #count = 0;

  /** @param most The most entries */
  constructor(most = Infinity) {
    this.#most = most;
  }

  /** Checks that an entry can be added. @throws {Refusal} EMFILE if not */
  requireRoom(): void {
    if (this.#count >= this.#most) throw new Refusal(EMFILE);
  }

  /** The entry with a number, which may be any signed number. */
  get(fd: number): Entry | undefined {
    return fd >= 0 ? this.#entries[fd] : undefined;
  }

  /** The entry with a number. @throws {Refusal} EBADF if there is none */
  require(fd: number): Entry {
    const entry = this.get(fd);
    if (entry === undefined) throw new Refusal(EBADF);
    return entry;
  }

  /** Adds an entry. @returns its number */
  add(entry: Entry): number {
    let fd = this.#firstFree;
    while (this.#entries[fd] !== undefined) fd++;
    this.#entries[fd] = entry;
    this.#firstFree = fd + 1;
    this.#count++;
    return fd;
  }

  /** Frees a number. */
  delete(fd: number): void {
    if (this.get(fd) === undefined) return;
    this.#entries[fd] = undefined;
    this.#count--;
    if (fd < this.#firstFree) this.#firstFree = fd;
  }

  /**
   * Moves an entry to a number in use; its old number becomes free.
   *
   * @returns the entry that was replaced; undefined if both numbers are the same
   * @throws {Refusal} EBADF if one of the numbers is free
   */
  renumber(from: number, to: number): Entry | undefined {
    const moved = this.require(from);
    const replaced = this.require(to);
    if (from === to) return undefined;
    this.#entries[to] = moved;
    this.delete(from);
    return replaced;
  }

  /** All numbers in use, with their entries. Entries may be deleted meanwhile. */
  *entries(): Generator<[fd: number, entry: Entry]> {
    for (const [fd, entry] of this.#entries.entries()) {
      if (entry !== undefined) yield [fd, entry];
    }
  }
}
