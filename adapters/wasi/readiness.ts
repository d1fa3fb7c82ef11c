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
import { unwatchClose, watchClose } from "../../backends/ffi/close_watch.ts";
import type { FileObject } from "../../backends/ffi/descriptor.ts";
import { EVENT_READ, type LoopSelector } from "../../backends/selector.ts";
import { EBADF, errnoOf } from "../../backends/wasi/errno.ts";

/** A descriptor of the host that the guest has waited for. */
class Watch {
  /** The registered file object. */
  owner: FileObject | undefined;
  /** The `EVENT_*` bits that are registered, asked for and found. */
  registered = 0;
  asked = 0;
  found = 0;
  /** Whether the host has closed the file in this round. */
  isClosed = false;
  /** The round of the last three. */
  round: number;

  /** @param closing Called before the host closes the file */
  constructor(
    readonly fd: number,
    round: number,
    readonly closing: () => void,
  ) {
    this.round = round;
  }
}

/** The files of one guest, on a selector that no other code uses. */
export class Readiness implements Disposable {
  readonly #open: () => LoopSelector<Watch>;
  #opened: LoopSelector<Watch> | undefined;
  #disposed = false;
  /** By descriptor. */
  readonly #watches: (Watch | undefined)[] = [];
  #round = 0;
  /** Called before the host closes a file of this round: no selector reports that. */
  onClose: (() => void) | undefined;

  /** @param open Opens the selector, at the first wait */
  constructor(open: () => LoopSelector<unknown> = createSelector) {
    this.#open = open as () => LoopSelector<Watch>;
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
    const watch = this.#watches[fd] ??= new Watch(
      fd,
      this.#round,
      () => this.#noteClose(fd),
    );
    if (watch.round !== this.#round) {
      watch.round = this.#round;
      watch.asked = watch.found = 0;
      watch.isClosed = false;
    }
    watch.asked |= events;
    const known = watch.owner === fileobj &&
      (watch.registered & events) === events;
    return known ? 0 : this.#register(watch, fileobj);
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
    const watch = this.#watches[numberOf(fileobj)];
    return watch?.round === this.#round ? watch.found : 0;
  }

  /** Whether the host has closed a file, perhaps in this round. */
  isClosed(fileobj: FileObject): boolean {
    const fd = numberOf(fileobj);
    if (fd < 0) return true;
    const watch = this.#watches[fd];
    return watch?.round === this.#round && watch.isClosed;
  }

  /** A descriptor that is readable while a registered file is ready. */
  get waitFd(): number {
    return this.#selector.waitFd;
  }

  /** Ends the registration of a file that is closed next. */
  forget(fileobj: FileObject): void {
    const watch = this.#watches[numberOf(fileobj)];
    if (watch?.owner !== fileobj) return;
    this.#noteClose(watch.fd);
    this.#unregister(watch);
  }

  /** Closes the selector. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const watch of this.#watches) if (watch !== undefined) clear(watch);
    this.#opened?.close();
  }

  get #selector(): LoopSelector<Watch> {
    if (this.#opened !== undefined) return this.#opened;
    if (this.#disposed) {
      throw new Deno.errors.BadResource("The program has ended");
    }
    return this.#opened = this.#open();
  }

  /**
   * Waits on another thread, for a selector without a descriptor of its own.
   *
   * @param end Ends the wait when it is readable
   */
  async park(end: number): Promise<void> {
    const selector = this.#selector as LoopSelector<Watch | undefined>;
    // It has no watch: its event is none of the guest's.
    selector.register(end, EVENT_READ, undefined);
    try {
      await selector.park(Infinity);
    } finally {
      if (!this.#disposed) selector.unregister(end, { closing: true });
    }
  }

  #look(timeout: number): number {
    const selector = this.#selector;
    const entries = selector.wait(timeout);
    let count = 0;
    for (let index = 0; index < entries; index++) {
      const watch = selector.readyData(index);
      if (watch === undefined) continue;
      const asked = watch.round === this.#round ? watch.asked : 0;
      const found = selector.readyEvents(index) & asked;
      if (found === 0) {
        this.#withdraw(watch, asked);
        continue;
      }
      watch.found = found;
      count++;
      // A file that was closed by its owner is reported once; its registration is gone.
      if (!selector.getMap().has(watch.fd)) clear(watch);
    }
    return count;
  }

  /** Reduces a registration to the events of this round. */
  #withdraw(watch: Watch, asked: number): void {
    if (watch.owner === undefined || asked === 0) this.#unregister(watch);
    else {
      this.#selector.modify(watch.owner, asked, watch);
      watch.registered = asked;
    }
  }

  #register(watch: Watch, fileobj: FileObject): number {
    const { asked } = watch;
    try {
      if (watch.owner === fileobj) {
        this.#selector.modify(fileobj, asked, watch);
      } else {
        if (watch.owner !== undefined) this.#unregister(watch);
        this.#selector.register(fileobj, asked, watch);
      }
    } catch (error) {
      clear(watch);
      return errnoOf(error);
    }
    watch.owner = fileobj;
    watch.registered = asked;
    watchClose(watch.fd, watch.closing);
    return 0;
  }

  #noteClose(fd: number): void {
    const watch = this.#watches[fd]!;
    if (watch.round !== this.#round) return;
    watch.isClosed = true;
    this.onClose?.();
  }

  #unregister(watch: Watch): void {
    const { owner, fd } = watch;
    clear(watch);
    try {
      this.#selector.unregister(owner ?? fd);
    } catch (error) {
      // Closed by its owner, and another file has had the number since.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function clear(watch: Watch): void {
  unwatchClose(watch.fd, watch.closing);
  watch.owner = undefined;
  watch.registered = 0;
}

function numberOf(fileobj: FileObject): number {
  return typeof fileobj === "number" ? fileobj : fileobj.fd;
}
