/**
 * The selector for macOS and the BSDs. The head of `kqueue.ts` explains kqueue.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import { keventLayout } from "./ffi/structs/kevent.ts";
import type { Platform } from "./ffi/system.ts";
import { systemError } from "./ffi/errors.ts";
import { KqueueInstance, type KqueueOptions } from "./kqueue.ts";
import {
  ALL_EVENTS,
  ALL_MODES,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  MODE_EDGE,
  MODE_ONE_SHOT,
} from "./selector.ts";

/** The events that have a filter, in the order of their changes. */
const EVENTS = [EVENT_READ, EVENT_WRITE, EVENT_PRIORITY];

/** The bookkeeping of a selector, on kqueue. */
export class KqueueSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has a kqueue. */
  static available(platform: Platform): boolean {
    return keventLayout(platform) !== null;
  }

  /** The kernel keeps the interest, and a wait notices additions. */
  override readonly seesChangesWhileParked: boolean = true;
  readonly #kqueue: KqueueInstance;
  /** Whether a library stands in for the system. */
  readonly #standIn: boolean;

  /**
   * Creates a selector with a kqueue.
   *
   * @param options The path of a libkqueue. Default: the C library
   * @throws {Deno.errors.NotSupported} on a system without kqueue
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor(options: KqueueOptions = {}) {
    const kqueue = new KqueueInstance(options);
    const { EVFILT_EXCEPT, EV_DISPATCH } = kqueue.constants;
    super(
      MODE_EDGE | (EV_DISPATCH === null ? 0 : MODE_ONE_SHOT) |
        (EVFILT_EXCEPT === null ? 0 : EVENT_PRIORITY),
    );
    this.#kqueue = kqueue;
    this.#standIn = options.library !== undefined;
  }

  /** The descriptor of the queue; -1 after `close()`. */
  get fd(): number {
    return this.#kqueue.fd;
  }

  /** The queue itself. A library's stand-in may become readable too late. */
  override get waitFd(): number {
    return this.#standIn ? -1 : this.#kqueue.fd;
  }

  /** Starts to watch a descriptor. */
  protected override watch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#kqueue.reserve(2 * (this.registrations.size + 1));
    this.#add(fd, events, generation);
  }

  /** Changes the events of a descriptor. */
  protected override rewatch(
    fd: number,
    events: number,
    generation: number,
    before: number,
  ): void {
    this.refuseGone(fd, "kevent");
    // A filter keeps the mode that it was added with, and adding arms it again.
    // Unchanged filters are not touched.
    const sameMode = ((before ^ events) & ALL_MODES) === 0;
    // A bare number may be another file by now, which has no filters.
    const sameFile = typeof this.registrations.fileobj(fd) === "object";
    const stays = sameMode && sameFile && (events & MODE_ONE_SHOT) === 0;
    const kept = stays ? before & events & ALL_EVENTS : 0;
    this.#delete(fd, before & ~kept);
    this.#add(fd, events & ~kept, generation);
  }

  /** Stops watching a descriptor. */
  protected override unwatch(fd: number, events: number): void {
    this.#delete(fd, events);
  }

  /** Stops watching a descriptor that is closed next: its filters end then. */
  protected override unwatchClosing(fd: number, events: number): void {
    // A library does not notice the close.
    if (this.#standIn) this.#delete(fd, events);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number, most: number): void {
    this.#decode(this.#kqueue.wait(timeout, most));
  }

  /** Waits once on another thread, and fills `ready`. */
  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const count = await this.#kqueue.waitParked(timeout, referenced);
    if (!this.closed) this.#decode(count);
  }

  /** Releases the system's resources. */
  protected override release(): void {
    this.#kqueue.close();
  }

  #filter(event: number): number {
    const { EVFILT_READ, EVFILT_WRITE, EVFILT_EXCEPT } = this.#kqueue.constants;
    if (event === EVENT_READ) return EVFILT_READ;
    return event === EVENT_WRITE ? EVFILT_WRITE : EVFILT_EXCEPT!;
  }

  #event(filter: number): number {
    const { EVFILT_READ, EVFILT_WRITE } = this.#kqueue.constants;
    if (filter === EVFILT_READ) return EVENT_READ;
    return filter === EVFILT_WRITE ? EVENT_WRITE : EVENT_PRIORITY;
  }

  /** Adds each filter; if the system refuses one, deletes those before it. */
  #add(fd: number, events: number, generation: number): void {
    const { EV_ADD, EV_ENABLE, EV_CLEAR, EV_DISPATCH, NOTE_OOB } =
      this.#kqueue.constants;
    const flags = EV_ADD | EV_ENABLE |
      (events & MODE_EDGE ? EV_CLEAR : 0) |
      (events & MODE_ONE_SHOT ? EV_DISPATCH! : 0);
    let added = 0;
    for (const event of EVENTS) {
      if ((events & event) === 0) continue;
      const number = this.#kqueue.tryChange(
        fd,
        this.#filter(event),
        flags,
        generation,
        event === EVENT_PRIORITY ? NOTE_OOB! : 0,
      );
      if (number !== 0) {
        this.#delete(fd, added);
        throw systemError("kevent", number, `fd ${fd}`);
      }
      added |= event;
    }
  }

  #delete(fd: number, events: number): void {
    const { EV_DELETE } = this.#kqueue.constants;
    for (const event of EVENTS) {
      if ((events & event) === 0) continue;
      // ENOENT: the filter ended with the file. EBADF: the number is closed.
      this.#kqueue.tryChange(fd, this.#filter(event), EV_DELETE, 0);
    }
  }

  #decode(count: number): void {
    const { events } = this.#kqueue;
    const { ready } = this;
    ready.reserve(Math.max(count, 0));
    for (let index = 0; index < count; index++) {
      const fd = events.ident(index);
      const generation = events.udata(index);
      if (this.registrations.generation(fd) !== generation) continue;
      ready.merge(fd, generation, this.#event(events.filter(index)));
      this.#disarm(fd);
    }
  }

  /** One-shot applies to the whole registration: the event of a filter disables the others. */
  #disarm(fd: number): void {
    const events = this.registrations.events(fd);
    if ((events & MODE_ONE_SHOT) === 0) return;
    const { EV_DISABLE } = this.#kqueue.constants;
    for (const event of EVENTS) {
      if ((events & event) === 0) continue;
      this.#kqueue.tryChange(
        fd,
        this.#filter(event),
        EV_DISABLE,
        this.registrations.generation(fd),
      );
    }
  }
}
