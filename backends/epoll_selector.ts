/**
 * The selector for Linux. The head of `epoll.ts` explains epoll.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import { epollEventLayout } from "./ffi/structs/epoll_event.ts";
import type { Platform } from "./ffi/system.ts";
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EpollInstance,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from "./epoll.ts";
import { rest } from "./deadline.ts";
import { system } from "./ffi/current_system.ts";
import { isOpen } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import {
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  MODE_EDGE,
  MODE_EXCLUSIVE,
  MODE_ONE_SHOT,
} from "./selector.ts";

/** From EPOLLIN, EPOLLPRI and EPOLLOUT to `EVENT_*`: one load an event. */
const EVENTS_OF = Int32Array.from(
  { length: 8 },
  (_, bits) =>
    (bits & EPOLLIN ? EVENT_READ : 0) |
    (bits & EPOLLOUT ? EVENT_WRITE : 0) |
    (bits & EPOLLPRI ? EVENT_PRIORITY : 0),
);

/** The bits of a half-close, a hang-up or an error. */
const HANG_UP = EPOLLERR | EPOLLHUP | EPOLLRDHUP;

/** From `EVENT_*` and `MODE_*` to epoll's bits. */
function epollEvents(events: number): number {
  return ((events & EVENT_READ ? EPOLLIN : 0) |
    (events & EVENT_WRITE ? EPOLLOUT : 0) |
    (events & EVENT_PRIORITY ? EPOLLPRI : 0) |
    (events & EVENT_HANG_UP ? EPOLLRDHUP : 0) |
    (events & MODE_EDGE ? EPOLLET : 0) |
    (events & MODE_ONE_SHOT ? EPOLLONESHOT : 0) |
    (events & MODE_EXCLUSIVE ? EPOLLEXCLUSIVE : 0)) >>> 0;
}

/** The bookkeeping of a selector, on epoll. */
export class EpollSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has epoll. */
  static available(platform: Platform): boolean {
    return epollEventLayout(platform) !== null;
  }

  /** The kernel keeps the interest, and a wait notices additions. */
  override readonly seesChangesWhileParked: boolean = true;
  readonly #epoll = new EpollInstance();
  /** The descriptors that epoll refuses: regular files and directories. */
  readonly #refused = new Set<number>();
  /** Those of them that the next wait reports, with their generations. */
  readonly #alwaysReady = new Map<number, number>();
  /** One-shot registrations that have fired, and wait for `modify()`. */
  readonly #fired = new Set<number>();
  #hasOneShot = false;
  /** Whether the last wait found an event whose registration has ended. */
  #sawStale = false;
  #renewals = 0;

  /**
   * Creates a selector with an epoll instance.
   *
   * @throws {Deno.errors.NotSupported} on a system without epoll
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor() {
    super(
      EVENT_PRIORITY | EVENT_HANG_UP | MODE_EDGE | MODE_ONE_SHOT |
        MODE_EXCLUSIVE,
    );
  }

  /** The descriptor of the epoll instance; -1 after `close()`. */
  get fd(): number {
    return this.#epoll.fd;
  }

  /** The instance itself, except while files are ready that epoll refuses. */
  override get waitFd(): number {
    return this.#alwaysReady.size === 0 ? this.#epoll.fd : -1;
  }

  /** The number of new instances that took the place of the one under `fd`. */
  get renewals(): number {
    return this.#renewals;
  }

  /** Starts to watch a descriptor. */
  protected override watch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    const number = this.#epoll.tryControl(
      EPOLL_CTL_ADD,
      fd,
      epollEvents(events),
      generation,
    );
    if ((events & MODE_ONE_SHOT) !== 0) this.#hasOneShot = true;
    if (number === 0) this.#epoll.reserve(this.registrations.size + 1);
    else this.#handleRefusal(number, fd, events, generation);
  }

  /** Changes the events of a descriptor. */
  protected override rewatch(
    fd: number,
    events: number,
    generation: number,
    before: number,
  ): void {
    this.refuseGone(fd, "epoll_ctl");
    if ((events & MODE_ONE_SHOT) !== 0) this.#hasOneShot = true;
    // The number may belong to another file by now, which epoll does not have, or
    // does not refuse.
    if (this.#unwatchHere(fd)) return this.watch(fd, events, generation);
    if (((before | events) & MODE_EXCLUSIVE) !== 0) {
      this.#epoll.tryControl(EPOLL_CTL_DEL, fd, 0, 0);
      return this.watch(fd, events, generation);
    }
    const number = this.#epoll.tryControl(
      EPOLL_CTL_MOD,
      fd,
      epollEvents(events),
      generation,
    );
    if (number === 0) return;
    if (number !== system().errno.ENOENT) {
      return this.#handleRefusal(number, fd, events, generation);
    }
    // A duplicate may keep the previous file open: its events are stale from now on.
    this.watch(fd, events, this.registrations.nextGeneration(fd));
  }

  /** Stops watching a descriptor. */
  protected override unwatch(fd: number): void {
    if (this.#unwatchHere(fd)) return;
    // Ignored: EBADF, closed, and removed by epoll; ENOENT, closed, and the number is
    // another file's; EPERM, that file is one that epoll refuses.
    this.#epoll.tryControl(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /** Stops watching a descriptor that is closed next: epoll removes it then. */
  protected override unwatchClosing(fd: number): void {
    this.#unwatchHere(fd);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number, most: number): void {
    const idle = this.#alwaysReady.size === 0;
    this.#decode(this.#epoll.wait(idle ? timeout : 0, most));
  }

  /** Waits once on another thread, and fills `ready`. */
  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const idle = this.#alwaysReady.size === 0;
    const count = await this.#epoll.waitParked(idle ? timeout : 0, referenced);
    if (!this.closed) this.#decode(count);
  }

  /** Releases the system's resources. */
  protected override release(): void {
    this.#refused.clear();
    this.#alwaysReady.clear();
    this.#fired.clear();
    this.#epoll.close();
  }

  /** Removes a descriptor from the sets kept here; true if epoll never had it. */
  #unwatchHere(fd: number): boolean {
    this.#fired.delete(fd);
    this.#alwaysReady.delete(fd);
    return this.#refused.delete(fd);
  }

  #decode(count: number): void {
    const { events } = this.#epoll;
    const { ready } = this;
    let stale = false;
    ready.reserve(count + this.#alwaysReady.size);
    for (let index = 0; index < count; index++) {
      const fd = events.fd(index);
      const generation = events.generation(index);
      if (this.registrations.generation(fd) !== generation) {
        stale = true;
        continue;
      }
      const bits = events.events(index);
      ready.push(
        fd,
        generation,
        EVENTS_OF[bits & 7]! |
          ((bits & HANG_UP) === 0 ? 0 : this.#hangUpEvents(fd, bits)),
      );
    }
    if (this.#hasOneShot) this.#noteFired();
    if (stale || this.#sawStale) this.#noteStale(stale);
    if (this.#alwaysReady.size > 0) this.#pushAlwaysReady();
  }

  /** EPOLLRDHUP alone does not wake writers: a half-closed peer still reads. */
  #hangUpEvents(fd: number, bits: number): number {
    const gone = (bits & (EPOLLERR | EPOLLHUP)) !== 0;
    return EVENT_HANG_UP | (gone ? this.hangUpEvents(fd) : 0);
  }

  /** Files that epoll refuses are always ready, as with select and poll. */
  #reportAlways(fd: number, events: number, generation: number): void {
    // Urgent data never comes from a file, and no wait could sleep.
    if ((events & (EVENT_READ | EVENT_WRITE)) === 0) {
      this.#alwaysReady.delete(fd);
    } else this.#alwaysReady.set(fd, generation);
  }

  #pushAlwaysReady(): void {
    for (const [fd, generation] of this.#alwaysReady) {
      if (this.isGone(fd) || !isOpen(fd)) {
        this.lose(fd);
        continue;
      }
      this.ready.push(fd, generation, EVENT_READ | EVENT_WRITE);
      const events = this.registrations.events(fd);
      if ((events & (MODE_EDGE | MODE_ONE_SHOT)) !== 0) {
        this.#alwaysReady.delete(fd);
      }
    }
  }

  /** Remembers the one-shot registrations that fired: a new instance would not. */
  #noteFired(): void {
    for (let index = 0; index < this.ready.count; index++) {
      const fd = this.ready.fds[index]!;
      const events = this.registrations.events(fd);
      if ((events & MODE_ONE_SHOT) !== 0) this.#fired.add(fd);
    }
  }

  /**
   * One stale event may have been under way. A second in a row means that a duplicate
   * keeps a closed file open: its registration cannot be deleted, and would end every
   * wait. A new instance does not have it.
   */
  #noteStale(stale: boolean): void {
    const again = stale && this.#sawStale;
    this.#sawStale = stale && !again;
    if (!again) return;
    if (this.#epoll.renew(() => this.#refill())) this.#renewals++;
    else {
      // Without room for a new instance, the next wait tries again.
      this.#sawStale = true;
      if (this.ready.count === 0) rest();
    }
  }

  /** Registers everything with the new instance; false if the system has no room. */
  #refill(): boolean {
    const { ENOMEM, ENOSPC } = system().errno;
    for (const { fd, events } of this.registrations.keys()) {
      if (this.#refused.has(fd) || this.#fired.has(fd)) continue;
      // Its number may be another file by now.
      if (this.isGone(fd)) continue;
      const number = this.#epoll.tryControl(
        EPOLL_CTL_ADD,
        fd,
        epollEvents(events),
        this.registrations.generation(fd),
      );
      // Any other was closed while registered, and stays as silent as before.
      if (number === ENOMEM || number === ENOSPC) return false;
    }
    return true;
  }

  #handleRefusal(
    number: number,
    fd: number,
    events: number,
    generation: number,
  ): void {
    const { EPERM, EEXIST } = system().errno;
    if (number === EPERM) {
      this.#refused.add(fd);
      this.#reportAlways(fd, events, generation);
    } else if (number === EEXIST) {
      // An earlier file of this number was never unregistered: epoll has its entry.
      this.#epoll.control(EPOLL_CTL_DEL, fd, 0, 0);
      this.#epoll.control(EPOLL_CTL_ADD, fd, epollEvents(events), generation);
    } else {
      throw systemError("epoll_ctl", number, `fd ${fd}`);
    }
  }
}
