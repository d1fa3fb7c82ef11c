/**
 * The selector for Solaris and illumos. See `devpoll.ts` for what /dev/poll is like.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import { devPollConstants } from "./ffi/structs/dvpoll.ts";
import type { Platform } from "./ffi/system.ts";
import { DevPoll, type DevPollCalls } from "./devpoll.ts";
import { system } from "./ffi/current_system.ts";
import { isOpen } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { POLLNVAL } from "./poll.ts";
import { isHangUp, pollEvents, selectorEvents } from "./poll_events.ts";
import { EVENT_PRIORITY, type FileObject } from "./selector.ts";

/**
 * A selector on /dev/poll: the interest is kept by the system, so that a wait
 * hands over nothing. It has no mode.
 *
 * @example
 * ```ts
 * import { DevpollSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (["illumos", "solaris"].includes(Deno.build.os)) {
 *   using selector = new DevpollSelector<string>();
 *   const [left, right] = socketPair();
 *   selector.register(right, EVENT_READ, "right");
 *   left.send(new Uint8Array(1));
 *   assertEquals(selector.select(1000).length, 1);
 *   selector.unregister(right);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export class DevpollSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has /dev/poll. */
  static available(platform: Platform): boolean {
    return devPollConstants(platform) !== null;
  }

  /** The system keeps the interest, and notices what is added to it. */
  override readonly seesChangesWhileParked: boolean = true;
  readonly #devPoll: DevPoll;
  /** Who left during a parked wait: what it finds for that number may be theirs. */
  #left: Set<number> | undefined;

  /**
   * Opens `/dev/poll`.
   *
   * @param calls What to call; the system, if left out
   * @throws {Deno.errors.NotSupported} on a system without it
   * @throws {SystemError} if it cannot be opened
   */
  constructor(calls?: DevPollCalls) {
    super(EVENT_PRIORITY);
    this.#devPoll = new DevPoll(calls);
  }

  /** The descriptor of the open `/dev/poll`; -1 after `close()`. */
  get fd(): number {
    return this.#devPoll.fd;
  }

  /** Adds a descriptor to what is waited for. */
  protected override watch(fd: number, events: number): void {
    checkIsOpen(fd);
    this.#devPoll.register(fd, pollEvents(events));
    this.#devPoll.reserve(this.registrations.size + 1);
  }

  /** Changes what a descriptor is waited for. */
  protected override rewatch(fd: number, events: number): void {
    checkIsOpen(fd);
    this.#devPoll.modify(fd, pollEvents(events));
  }

  /** Takes a descriptor out of what is waited for. */
  protected override unwatch(fd: number): void {
    this.#left?.add(fd);
    this.#devPoll.unregister(fd);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number): void {
    this.#decode(this.#devPoll.wait(timeout));
  }

  /** As `fill`, on another thread. */
  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const left = new Set<number>();
    this.#left = left;
    try {
      const count = await this.#devPoll.waitParked(timeout, referenced);
      if (!this.closed) this.#decode(count, left);
    } finally {
      this.#left = undefined;
    }
  }

  /** Frees what the system keeps. */
  protected override release(): void {
    this.#devPoll.close();
  }

  #decode(count: number, left?: ReadonlySet<number>): void {
    const { fds } = this.#devPoll;
    const { ready } = this;
    ready.reserve(Math.max(count, 0));
    for (let index = 0; index < count; index++) {
      const fd = fds.fd(index);
      const bits = fds.returned(index);
      // Nothing is lost: what is still true the next wait reports.
      if (left?.has(fd)) continue;
      if ((bits & POLLNVAL) !== 0 || this.isGone(fd)) {
        this.lose(fd);
        continue;
      }
      ready.push(
        fd,
        this.registrations.generation(fd),
        selectorEvents(bits) | (isHangUp(bits) ? this.hangUpEvents(fd) : 0),
      );
    }
  }
}

/** Once written, a number that is not open could neither be seen nor removed. */
function checkIsOpen(fd: number): void {
  if (isOpen(fd)) return;
  throw systemError("write", system().errno.EBADF!, `fd ${fd}`);
}
