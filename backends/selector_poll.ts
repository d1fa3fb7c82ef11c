/**
 * One poll(2) for several selectors, to find those that have ready entries.
 *
 * The descriptor of an epoll or a kqueue instance is itself readable while one of its
 * entries is ready (epoll(7), kqueue(2)). A selector without such a descriptor is
 * polled by its registrations.
 *
 * @module
 */

import { PollFds } from "./ffi/structs/pollfd.ts";
import { POLLIN, pollOnce, pollParked } from "./poll.ts";
import { pollEvents } from "./poll_events.ts";
import type { LoopSelector } from "./selector.ts";

/** The selectors of one wait, each with its part of the structs. */
export class SelectorPoll {
  readonly #fds = new PollFds();
  /** The end of each part. */
  readonly #ends: number[] = [];
  #count = 0;

  /** Removes all selectors. */
  clear(): void {
    this.#count = 0;
    this.#ends.length = 0;
  }

  /** Adds a descriptor that ends the wait when it is readable. */
  addWaker(fd: number): void {
    this.#add(fd, POLLIN);
    this.#ends.push(this.#count);
  }

  /** Adds a selector with its present registrations. */
  addSelector(selector: LoopSelector<unknown>): void {
    const { waitFd } = selector;
    if (waitFd >= 0) this.#add(waitFd, POLLIN);
    else {
      for (const { fd, events } of selector.getMap().values()) {
        this.#add(fd, pollEvents(events));
      }
    }
    this.#ends.push(this.#count);
  }

  /** Whether the part at a place, from 0, has returned events. */
  isReady(place: number): boolean {
    const end = this.#ends[place]!;
    for (let index = this.#ends[place - 1] ?? 0; index < end; index++) {
      if (this.#fds.returned(index) !== 0) return true;
    }
    return false;
  }

  /** Polls without a wait. */
  look(): number {
    return pollOnce(this.#fds, this.#count, 0);
  }

  /**
   * Waits on another thread. Nothing may be added during the wait.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @param referenced Whether the wait keeps the process open
   */
  park(timeout: number, referenced: boolean): Promise<number> {
    return pollParked(this.#fds, this.#count, timeout, referenced);
  }

  #add(fd: number, events: number): void {
    this.#fds.reserve(this.#count + 1);
    this.#fds.set(this.#count++, fd, events);
  }
}
