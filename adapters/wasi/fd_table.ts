/**
 * A guest's descriptors: what each number stands for. The numbers are the
 * guest's own; no number of the host is reachable through them.
 *
 * @module
 */

import { EBADF, EMFILE, Refusal } from "../../backends/wasi/errno.ts";

/** Numbers and what they stand for. A new one gets the lowest that is free, as in POSIX. */
export class FdTable<Entry> {
  readonly #entries: (Entry | undefined)[] = [];
  readonly #most: number;
  /** No number below this is free. */
  #firstFree = 0;
  #count = 0;

  /** @param most How many numbers a guest may have */
  constructor(most = Infinity) {
    this.#most = most;
  }

  /** Before a call makes a new entry. @throws {Refusal} EMFILE if there are enough */
  requireRoom(): void {
    if (this.#count >= this.#most) throw new Refusal(EMFILE);
  }

  /** What a number stands for. A guest's numbers are signed and may be any. */
  get(fd: number): Entry | undefined {
    return fd >= 0 ? this.#entries[fd] : undefined;
  }

  /** What a number stands for. @throws {Refusal} EBADF if it stands for nothing */
  require(fd: number): Entry {
    const entry = this.get(fd);
    if (entry === undefined) throw new Refusal(EBADF);
    return entry;
  }

  /** Gives something a number. */
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
   * Lets a number stand for what another stood for, which is free from then on.
   * Both have to be in use: a guest cannot pick numbers.
   *
   * @returns what `to` stood for before; undefined if both are the same number
   * @throws {Refusal} EBADF if one of them stands for nothing
   */
  renumber(from: number, to: number): Entry | undefined {
    const moved = this.require(from);
    const replaced = this.require(to);
    if (from === to) return undefined;
    this.#entries[to] = moved;
    this.delete(from);
    return replaced;
  }

  /** Everything that has a number. */
  *entries(): Generator<Entry> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry;
  }
}
