/**
 * The selector for Linux. See `epoll.ts` for what epoll is like.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import { epollEventLayout } from "./ffi/structs/epoll_event.ts";
import type { Platform } from "./ffi/system.ts";
import {
  Epoll,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
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

/** From EPOLLIN, EPOLLPRI and EPOLLOUT to ours: one load for an event. */
const EVENTS_OF = Int32Array.from(
  { length: 8 },
  (_, bits) =>
    (bits & EPOLLIN ? EVENT_READ : 0) |
    (bits & EPOLLOUT ? EVENT_WRITE : 0) |
    (bits & EPOLLPRI ? EVENT_PRIORITY : 0),
);

/** What is reported beside them when the peer or the file is at its end. */
const HANG_UP = EPOLLERR | EPOLLHUP | EPOLLRDHUP;

/** From our events and modes to epoll's. */
function epollEvents(events: number): number {
  return ((events & EVENT_READ ? EPOLLIN : 0) |
    (events & EVENT_WRITE ? EPOLLOUT : 0) |
    (events & EVENT_PRIORITY ? EPOLLPRI : 0) |
    (events & EVENT_HANG_UP ? EPOLLRDHUP : 0) |
    (events & MODE_EDGE ? EPOLLET : 0) |
    (events & MODE_ONE_SHOT ? EPOLLONESHOT : 0) |
    (events & MODE_EXCLUSIVE ? EPOLLEXCLUSIVE : 0)) >>> 0;
}

/**
 * A selector on epoll: the cost of a wait is that of what is ready, whatever
 * the number of registrations. It has every mode. Files that epoll refuses,
 * regular ones and directories, count as always ready.
 *
 * @example Hear of news alone
 * ```ts
 * import {
 *   EpollSelector,
 *   EVENT_READ,
 *   MODE_EDGE,
 * } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "linux") {
 *   using selector = new EpollSelector<string>();
 *   const [left, right] = socketPair();
 *   selector.register(right, EVENT_READ | MODE_EDGE, "right");
 *   left.send(new Uint8Array(1));
 *   assertEquals(selector.select(1000).length, 1);
 *   assertEquals(selector.select(0), []); // still there, but no news
 *   selector.unregister(right);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export class EpollSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has epoll. */
  static available(platform: Platform): boolean {
    return epollEventLayout(platform) !== null;
  }

  /** The system keeps the interest, and notices what is added to it. */
  override readonly seesChangesWhileParked: boolean = true;
  readonly #epoll = new Epoll();
  /** Descriptors that epoll refuses: regular files and directories. */
  readonly #refused = new Set<number>();
  /** Those of them that the next wait reports, with their generations. */
  readonly #alwaysReady = new Map<number, number>();
  /** One-shot registrations that have fired, and are silent until modified. */
  readonly #fired = new Set<number>();
  #hasOneShot = false;
  /** Whether the last wait met an event whose registration has ended. */
  #sawStale = false;
  #renewals = 0;

  /**
   * Makes a selector, and the epoll instance that it needs.
   *
   * @throws {Deno.errors.NotSupported} on a system without epoll
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
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

  /** The instance itself, unless files are ready that it does not know. */
  override get waitFd(): number {
    return this.#alwaysReady.size === 0 ? this.#epoll.fd : -1;
  }

  /**
   * How often another instance was put under `fd`: when a registered descriptor was
   * closed while a copy of it lives on, whose events nobody could end otherwise. Who
   * watches `fd` with an epoll instance of his own has to register it again then.
   */
  get renewals(): number {
    return this.#renewals;
  }

  /** Adds a descriptor to what is waited for. */
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

  /** Changes what a descriptor is waited for. */
  protected override rewatch(
    fd: number,
    events: number,
    generation: number,
    before: number,
  ): void {
    if ((events & MODE_ONE_SHOT) !== 0) this.#hasOneShot = true;
    // The number may have been closed and opened again: another file, which epoll
    // does not have, or does not refuse.
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
    // The file that epoll had may live on in a copy: its events are stale from now on.
    this.watch(fd, events, this.registrations.nextGeneration(fd));
  }

  /** Takes a descriptor out of what is waited for. */
  protected override unwatch(fd: number): void {
    if (this.#unwatchHere(fd)) return;
    // EBADF: it was closed, and epoll forgot it. ENOENT: closed, and the number
    // is another file's. EPERM: that file is one that epoll refuses.
    this.#epoll.tryControl(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /** Forgets a descriptor that is closed next. */
  protected override unwatchClosing(fd: number): void {
    this.#unwatchHere(fd);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number, most: number): void {
    const idle = this.#alwaysReady.size === 0;
    this.#decode(this.#epoll.wait(idle ? timeout : 0, most));
  }

  /** As `fill`, on another thread. */
  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const idle = this.#alwaysReady.size === 0;
    const count = await this.#epoll.waitParked(idle ? timeout : 0, referenced);
    if (!this.closed) this.#decode(count);
  }

  /** Frees what the system keeps. */
  protected override release(): void {
    this.#refused.clear();
    this.#alwaysReady.clear();
    this.#fired.clear();
    this.#epoll.close();
  }

  /** Forgets what is kept here; true if epoll never had the descriptor. */
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

  /** The peer's end alone wakes no writer: there may be room for what it still reads. */
  #hangUpEvents(fd: number, bits: number): number {
    const gone = (bits & (EPOLLERR | EPOLLHUP)) !== 0;
    return EVENT_HANG_UP | (gone ? this.hangUpEvents(fd) : 0);
  }

  /** What epoll refuses can be read and written at any time, as select and poll have it. */
  #reportAlways(fd: number, events: number, generation: number): void {
    // Urgent data alone would never come, and keep every wait from sleeping.
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

  /** Remembers who has fired, since a new instance would not. */
  #noteFired(): void {
    for (let index = 0; index < this.ready.count; index++) {
      const fd = this.ready.fds[index]!;
      const events = this.registrations.events(fd);
      if ((events & MODE_ONE_SHOT) !== 0) this.#fired.add(fd);
    }
  }

  /**
   * One stale event is one that was under way. A second wait that meets one
   * means a file that lives on in a copy of its descriptor: nobody can delete
   * its registration, and it would wake every wait. A new instance leaves it behind.
   */
  #noteStale(stale: boolean): void {
    const again = stale && this.#sawStale;
    this.#sawStale = stale && !again;
    if (!again) return;
    if (this.#epoll.renew(() => this.#refill())) this.#renewals++;
    else {
      // Now and then until there is room for it: the next wait meets it as well.
      this.#sawStale = true;
      if (this.ready.count === 0) rest();
    }
  }

  /** Registers all with a new instance; false if the system has no room for them. */
  #refill(): boolean {
    const { ENOMEM, ENOSPC } = system().errno;
    for (const { fd, events } of this.registrations.keys()) {
      if (this.#refused.has(fd) || this.#fired.has(fd)) continue;
      const number = this.#epoll.tryControl(
        EPOLL_CTL_ADD,
        fd,
        epollEvents(events),
        this.registrations.generation(fd),
      );
      // Any other was closed behind our back, and stays as silent as before.
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
      // An earlier owner of the number left without a word; epoll kept its entry.
      this.#epoll.control(EPOLL_CTL_DEL, fd, 0, 0);
      this.#epoll.control(EPOLL_CTL_ADD, fd, epollEvents(events), generation);
    } else {
      throw systemError("epoll_ctl", number, `fd ${fd}`);
    }
  }
}
