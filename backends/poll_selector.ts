/**
 * The selector for every POSIX system. See `poll.ts` for what poll is like.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import type { Platform } from "./ffi/system.ts";
import { POLLNVAL, pollOnce, pollParked } from "./poll.ts";
import { isHangUp, pollEvents, selectorEvents } from "./poll_events.ts";
import { EVENT_PRIORITY, type FileObject } from "./selector.ts";
import { WatchedFds } from "./watched_fds.ts";

/**
 * A selector on poll: any number of descriptors, at the cost of looking at each
 * of them in every wait. It has no mode.
 *
 * @example
 * ```ts
 * import { EVENT_WRITE, PollSelector } from "@pollux/reactor/selectors";
 * import { close, pipe } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using selector = new PollSelector<string>();
 * const [reader, writer] = pipe();
 * selector.register(writer, EVENT_WRITE, "room for more");
 * for (const [key, events] of selector.select()) {
 *   assertEquals([key.data, events], ["room for more", EVENT_WRITE]);
 * }
 * selector.unregister(writer);
 * close(reader);
 * close(writer);
 * ```
 */
export class PollSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has poll: every one. */
  static available(_platform: Platform): boolean {
    return true;
  }

  /** The interest is handed over at the call. */
  override readonly seesChangesWhileParked: boolean = false;
  readonly #watched = new WatchedFds();

  /** Makes a selector, which needs neither a call nor a descriptor. */
  constructor() {
    super(EVENT_PRIORITY);
  }

  /** Adds a descriptor to what is waited for. */
  protected override watch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#watched.set(fd, pollEvents(events), generation);
  }

  /** Changes what a descriptor is waited for. */
  protected override rewatch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#watched.set(fd, pollEvents(events), generation);
  }

  /** Takes a descriptor out of what is waited for. */
  protected override unwatch(fd: number): void {
    this.#watched.delete(fd);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number): void {
    const watched = this.#watched;
    this.#decode(watched, pollOnce(watched.fds, watched.size, timeout));
  }

  /** As `fill`, on another thread. */
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

  /** Frees what the system keeps. */
  protected override release(): void {}

  #decode({ fds, generations, size }: WatchedFds, count: number): void {
    const { ready } = this;
    ready.reserve(Math.max(count, 0));
    const invalid: number[] = [];
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
    // Only now: to lose one moves the structs.
    for (const fd of invalid) this.lose(fd);
  }
}
