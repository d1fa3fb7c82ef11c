/**
 * Which of the host's files a guest waits for, and which of them are ready.
 *
 * `poll_oneoff` names everything anew in every call, a selector remembers. So a
 * registration stays from call to call, and goes when its file is closed or
 * when it wakes a call that did not ask for it: a guest that polls the same
 * hundred descriptors again and again costs no system call for any of them.
 *
 * @module
 */

import type { FileObject } from "../../backends/ffi/descriptor.ts";
import { grown } from "../../backends/int32_arrays.ts";
import { EVENT_READ, type LoopSelector } from "../../backends/selector.ts";
import { EBADF, errnoOf } from "../../backends/wasi/errno.ts";

/** What is waited for: a file object and `EVENT_*` bits. */
export interface Interest {
  readonly fileobj: FileObject;
  readonly events: number;
}

/** One guest's view of a selector that it has for itself. */
export class Readiness implements Disposable {
  readonly #open: () => LoopSelector<unknown>;
  #opened: LoopSelector<unknown> | undefined;
  #disposed = false;
  /** By descriptor: whom the registration belongs to, and its events. */
  readonly #owners: (FileObject | undefined)[] = [];
  #registered = new Int32Array(64);
  /** By descriptor: the round in which it was asked for last, for what, and what was found. */
  #rounds = new Int32Array(64);
  #asked = new Int32Array(64);
  #found = new Int32Array(64);
  #round = 0;
  /** The descriptors of this round. */
  #fds = new Int32Array(64);
  #count = 0;

  /** @param open Opens the selector, when something is waited for first */
  constructor(open: () => LoopSelector<unknown>) {
    this.#open = open;
  }

  /** Begins a round: nothing is asked for yet. */
  begin(): void {
    this.#round = this.#round + 1 | 0;
    this.#count = 0;
  }

  /**
   * Asks for a file in this round, for other events than before or the same.
   *
   * @returns an error number of WASI: 0 if it can be waited for
   */
  ask(fileobj: FileObject, events: number): number {
    const fd = typeof fileobj === "number" ? fileobj : fileobj.fd;
    if (fd < 0) return EBADF;
    if (fd >= this.#rounds.length) this.#grow(fd);
    if (this.#rounds[fd] === this.#round) {
      this.#asked[fd]! |= events;
    } else {
      this.#rounds[fd] = this.#round;
      this.#asked[fd] = events;
      this.#found[fd] = 0;
      this.#fds[this.#count++] = fd;
    }
    const known = this.#owners[fd] === fileobj &&
      (this.#registered[fd]! & events) === events;
    return known ? 0 : this.#register(fd, fileobj);
  }

  /**
   * Waits, in this thread, for what was asked for in this round.
   *
   * @param timeout Milliseconds; `Infinity` is for ever
   * @returns how many files are ready
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

  /** The `EVENT_*` bits for which a file was found ready in this round. */
  found(fileobj: FileObject): number {
    const fd = typeof fileobj === "number" ? fileobj : fileobj.fd;
    return fd >= 0 && this.#rounds[fd] === this.#round ? this.#found[fd]! : 0;
  }

  /**
   * What somebody else has to watch to wait in our place: the selector itself
   * where it has a descriptor, else everything that was asked for.
   */
  interests(): Interest[] {
    const { fd } = this.#selector as { readonly fd?: number };
    if (fd !== undefined && fd >= 0) {
      return [{ fileobj: fd, events: EVENT_READ }];
    }
    return Array.from(this.#fds.subarray(0, this.#count), (fd) => ({
      fileobj: this.#owners[fd] ?? fd,
      events: this.#asked[fd]!,
    }));
  }

  /** Forgets a file that is about to be closed. */
  forget(fileobj: FileObject): void {
    const fd = typeof fileobj === "number" ? fileobj : fileobj.fd;
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
      // One that was closed behind our back is reported and gone.
      if (!selector.getMap().has(fd)) this.#clear(fd);
    }
    return count;
  }

  /** Ends what an earlier round asked for and this one does not. */
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
      // Its owner closed it, and another file had the number since: that ended it.
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
    this.#fds = grown(this.#fds, size);
  }
}
