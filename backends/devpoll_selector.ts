/**
 * The selector for Solaris and illumos. The head of `devpoll.ts` explains /dev/poll.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import { DevPollInstance } from "./devpoll.ts";
import { devPollConstants } from "./ffi/structs/dvpoll.ts";
import type { Platform } from "./ffi/system.ts";
import { system } from "./ffi/current_system.ts";
import { isOpen } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { POLLNVAL } from "./poll.ts";
import { isHangUp, pollEvents, selectorEvents } from "./poll_events.ts";
import { EVENT_PRIORITY, type FileObject } from "./selector.ts";

/** The bookkeeping of a selector, on /dev/poll. */
export class DevpollSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has /dev/poll. */
  static available(platform: Platform): boolean {
    return devPollConstants(platform) !== null;
  }

  /** The kernel keeps the interest, and a wait notices additions. */
  override readonly seesChangesWhileParked: boolean = true;
  readonly #devPoll: DevPollInstance;
  /** Numbers unregistered during a parked wait: its events for them may be stale. */
  #left: Set<number> | undefined;

  /**
   * Opens `/dev/poll`.
   *
   * @throws {Deno.errors.NotSupported} on a system without it
   * @throws {SystemError} if it cannot be opened
   */
  constructor() {
    super(EVENT_PRIORITY);
    this.#devPoll = new DevPollInstance();
  }

  /** The descriptor of the open `/dev/poll`; -1 after `close()`. */
  get fd(): number {
    return this.#devPoll.fd;
  }

  /** Starts to watch a descriptor. */
  protected override watch(fd: number, events: number): void {
    checkIsOpen(fd);
    this.#devPoll.add(fd, pollEvents(events));
    this.#devPoll.reserve(this.registrations.size + 1);
  }

  /** Changes the events of a descriptor. */
  protected override rewatch(fd: number, events: number): void {
    checkIsOpen(fd);
    this.#devPoll.replace(fd, pollEvents(events));
  }

  /** Stops watching a descriptor. */
  protected override unwatch(fd: number): void {
    this.#left?.add(fd);
    this.#devPoll.remove(fd);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number): void {
    this.#decode(this.#devPoll.wait(timeout));
  }

  /** Waits once on another thread, and fills `ready`. */
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

  /** Releases the system's resources. */
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
      // Nothing is lost: the next wait reports the descriptor if it is still ready.
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

/** Once written, a number that is not open can be neither reported nor removed. */
function checkIsOpen(fd: number): void {
  if (isOpen(fd)) return;
  throw systemError("write", system().errno.EBADF!, `fd ${fd}`);
}
