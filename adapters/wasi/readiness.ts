/**
 * Which of the host's files a guest waits for, and which of them are ready.
 *
 * `poll_oneoff` names its descriptors in every call; a selector remembers them. So
 * a registration outlives the call. It ends when its file is closed, or when it
 * wakes a call that did not ask for it. A guest that polls the same hundred
 * descriptors again costs no system call for any of them.
 *
 * @module
 */

import { createSelector } from "../../backends/selectors.ts";
import type { FileObject } from "../../backends/ffi/descriptor.ts";
import { grown } from "../../backends/int32_arrays.ts";
import type { LoopSelector } from "../../backends/selector.ts";
import { EBADF, errnoOf } from "../../backends/wasi/errno.ts";

/** The files of one guest, on a selector that no other code uses. */
export class Readiness implements Disposable {
  readonly #open: () => LoopSelector<unknown>;
  #opened: LoopSelector<unknown> | undefined;
  #disposed = false;
  /** By descriptor: the registered file object and its events. */
  readonly #owners: (FileObject | undefined)[] = [];
  #registered = new Int32Array(64);
  /** By descriptor: the last round that asked for it, the events asked for, those found. */
  #rounds = new Int32Array(64);
  #asked = new Int32Array(64);
  #found = new Int32Array(64);
  #round = 0;

  /** @param open Opens the selector, at the first wait */
  constructor(open: () => LoopSelector<unknown> = createSelector) {
    this.#open = open;
  }

  /** Begins a round, which asks for nothing yet. */
  begin(): void {
    this.#round = this.#round + 1 | 0;
  }

  /**
   * Asks for a file in this round. Events of several calls add up.
   *
   * @returns an error number of WASI: 0 if the file can be waited for
   */
  ask(fileobj: FileObject, events: number): number {
    const fd = numberOf(fileobj);
    if (fd < 0) return EBADF;
    if (fd >= this.#rounds.length) this.#grow(fd);
    if (this.#rounds[fd] === this.#round) {
      this.#asked[fd]! |= events;
    } else {
      this.#rounds[fd] = this.#round;
      this.#asked[fd] = events;
      this.#found[fd] = 0;
    }
    const known = this.#owners[fd] === fileobj &&
      (this.#registered[fd]! & events) === events;
    return known ? 0 : this.#register(fd, fileobj);
  }

  /**
   * Blocks this thread until a file of this round is ready.
   *
   * @param timeout Milliseconds; `Infinity` for no limit
   * @returns the number of ready files
   */
  wait(timeout: number): number {
    if (timeout === 0) return this.#look(0);
    const deadline = performance.now() + timeout;
    for (let left = timeout;;) {
      const count = this.#look(left);
      if (count > 0) return count;
      left = deadline - performance.now();
      if (left <= 0) return 0;
    }
  }

  /** The `EVENT_*` bits for which a file was ready in this round. */
  found(fileobj: FileObject): number {
    const fd = numberOf(fileobj);
    return fd >= 0 && this.#rounds[fd] === this.#round ? this.#found[fd]! : 0;
  }

  /** A descriptor that is readable while a registered file is ready. */
  get waitFd(): number {
    return this.#selector.waitFd;
  }

  /** Ends the registration of a file that is closed next. */
  forget(fileobj: FileObject): void {
    const fd = numberOf(fileobj);
    if (fd >= 0 && this.#owners[fd] === fileobj) this.#unregister(fd);
  }

  /** Closes the selector. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#opened?.close();
  }

  get #selector(): LoopSelector<unknown> {
    if (this.#opened !== undefined) return this.#opened;
    if (this.#disposed) {
      throw new Deno.errors.BadResource("The program has ended");
    }
    return this.#opened = this.#open();
  }

  #look(timeout: number): number {
    const selector = this.#selector;
    const entries = selector.wait(timeout);
    let count = 0;
    for (let index = 0; index < entries; index++) {
      const key = selector.readyKey(index);
      if (key === undefined) continue;
      const { fd } = key;
      const asked = this.#rounds[fd] === this.#round ? this.#asked[fd]! : 0;
      const found = selector.readyEvents(index) & asked;
      if (found === 0) {
        this.#withdraw(fd, asked);
        continue;
      }
      this.#found[fd] = found;
      count++;
      // A file that was closed by its owner is reported once; its registration is gone.
      if (!selector.getMap().has(fd)) this.#clear(fd);
    }
    return count;
  }

  /** Reduces a registration to the events of this round. */
  #withdraw(fd: number, asked: number): void {
    const owner = this.#owners[fd];
    if (owner === undefined || asked === 0) {
      this.#unregister(fd);
      return;
    }
    this.#selector.modify(owner, asked, undefined);
    this.#registered[fd] = asked;
  }

  #register(fd: number, fileobj: FileObject): number {
    const events = this.#asked[fd]!;
    try {
      if (this.#owners[fd] === fileobj) {
        this.#selector.modify(fileobj, events, undefined);
      } else {
        if (this.#owners[fd] !== undefined) this.#unregister(fd);
        this.#selector.register(fileobj, events, undefined);
      }
    } catch (error) {
      this.#clear(fd);
      return errnoOf(error);
    }
    this.#owners[fd] = fileobj;
    this.#registered[fd] = events;
    return 0;
  }

  #unregister(fd: number): void {
    const owner = this.#owners[fd];
    this.#clear(fd);
    try {
      this.#selector.unregister(owner ?? fd);
    } catch (error) {
      // Closed by its owner, and another file has had the number since.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #clear(fd: number): void {
    this.#owners[fd] = undefined;
    this.#registered[fd] = 0;
  }

  #grow(fd: number): void {
    const size = Math.max(fd + 1, this.#rounds.length * 2);
    this.#registered = grown(this.#registered, size);
    this.#rounds = grown(this.#rounds, size);
    this.#asked = grown(this.#asked, size);
    this.#found = grown(this.#found, size);
  }
}

function numberOf(fileobj: FileObject): number {
  return typeof fileobj === "number" ? fileobj : fileobj.fd;
}
