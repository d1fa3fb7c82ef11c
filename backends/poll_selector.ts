/**
 * The selector for every POSIX system. The head of `poll.ts` explains poll.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import type { Platform } from "./ffi/system.ts";
import { POLLNVAL, pollOnce, pollParked } from "./poll.ts";
import { isHangUp, pollEvents, selectorEvents } from "./poll_events.ts";
import { EVENT_PRIORITY, type FileObject } from "./selector.ts";
import { WatchedFds } from "./watched_fds.ts";

/** The bookkeeping of a selector, on poll. */
export class PollSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has poll: every one. */
  static available(_platform: Platform): boolean {
    return true;
  }

  /** A wait passes the interest of the moment when it began. */
  override readonly seesChangesWhileParked: boolean = false;
  readonly #watched = new WatchedFds();
  /** Descriptors that a wait found closed; empty between waits. */
  readonly #invalid: number[] = [];

  /** Creates a selector. It needs neither a system call nor a descriptor. */
  constructor() {
    super(EVENT_PRIORITY);
  }

  /** Starts to watch a descriptor. */
  protected override watch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#watched.set(fd, pollEvents(events), generation);
  }

  /** Changes the events of a descriptor. */
  protected override rewatch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#watched.set(fd, pollEvents(events), generation);
  }

  /** Stops watching a descriptor. */
  protected override unwatch(fd: number): void {
    this.#watched.delete(fd);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number): void {
    const watched = this.#watched;
    this.#decode(watched, pollOnce(watched.fds, watched.size, timeout));
  }

  /** Waits once on another thread, and fills `ready`. */
  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const watched = this.#watched.snapshot();
    this.#decode(
      watched,
      await pollParked(watched.fds, watched.size, timeout, referenced),
    );
  }

  /** Releases the system's resources. */
  protected override release(): void {}

  #decode({ fds, generations, size }: WatchedFds, count: number): void {
    const { ready } = this;
    ready.reserve(Math.max(count, 0));
    const invalid = this.#invalid;
    for (let slot = 0; slot < size && count > 0; slot++) {
      const bits = fds.returned(slot);
      if (bits === 0) continue;
      count--;
      const fd = fds.fd(slot);
      const generation = generations[slot]!;
      if ((bits & POLLNVAL) !== 0 || this.isGone(fd)) {
        if (this.registrations.generation(fd) === generation) invalid.push(fd);
        continue;
      }
      ready.push(
        fd,
        generation,
        selectorEvents(bits) | (isHangUp(bits) ? this.hangUpEvents(fd) : 0),
      );
    }
    // After the loop: lose() moves structs.
    for (const fd of invalid) this.lose(fd);
    invalid.length = 0;
  }
}
