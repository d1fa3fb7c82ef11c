/**
 * A descriptor that rings when a selector becomes ready, so that any loop which reads
 * descriptors can wait for selectors: Deno's, without a thread.
 *
 * It is an eventfd. Linux AIO polls the descriptors of the selectors, and counts in it.
 *
 * @module
 */

import { AioPolls } from "./ffi/aio.ts";
import { EventFd } from "./ffi/event_fd.ts";
import { EpollSelector } from "./epoll_selector.ts";
import type { LoopSelector } from "./selector.ts";

/** The polls of this thread; null where the system refuses them. */
let polls: AioPolls | null | undefined;

/** Whatever waits for its selector. */
export interface Waiting {
  readonly selector: LoopSelector<unknown>;
}

/** A poll under way. */
interface Armed {
  readonly poll: number;
  /** The renewals of the selector until then: a poll keeps the instance of its time. */
  readonly renewals: number;
}

/** Rings for selectors. It is armed for each ring. */
export class SelectorAlarm<W extends Waiting> {
  readonly #polls: AioPolls;
  readonly #events = new EventFd();
  readonly #armed = new Map<W, Armed>();
  /** By the number of the poll. */
  readonly #waiting: (W | undefined)[] = [];

  private constructor(polls: AioPolls) {
    this.#polls = polls;
  }

  /**
   * Creates an alarm.
   *
   * @returns null on other systems, and where this one refuses
   * @throws {SystemError} `EMFILE`: no descriptors left
   */
  static create<W extends Waiting>(): SelectorAlarm<W> | null {
    if (polls === undefined) polls = AioPolls.create();
    return polls === null ? null : new SelectorAlarm<W>(polls);
  }

  /** Readable after a ring, until it is read. */
  get fd(): number {
    return this.#events.fd;
  }

  /**
   * Has the alarm ring once when a selector becomes ready, or at once if it is. It
   * stays armed until it has rung.
   *
   * @returns false if the selector has no descriptor, or the system refuses
   */
  arm(waiting: W): boolean {
    const { selector } = waiting;
    const { waitFd } = selector;
    const renewals = selector instanceof EpollSelector ? selector.renewals : 0;
    const armed = this.#armed.get(waiting);
    if (armed?.renewals === renewals && waitFd >= 0) return true;
    this.disarm(waiting);
    const poll = waitFd < 0 ? -1 : this.#polls.begin(waitFd, this.fd);
    if (poll < 0) return false;
    this.#armed.set(waiting, { poll, renewals });
    this.#waiting[poll] = waiting;
    return true;
  }

  /** Takes an `arm()` back. Otherwise the poll would keep a closed selector open. */
  disarm(waiting: W): void {
    const armed = this.#armed.get(waiting);
    if (armed === undefined) return;
    this.#armed.delete(waiting);
    this.#waiting[armed.poll] = undefined;
    this.#polls.cancel(armed.poll);
  }

  /** Calls a function with each that it has rung for. */
  takeRung(take: (waiting: W) => void): void {
    if (this.#polls.underWay === 0) return;
    this.#polls.takeEnded((poll) => {
      const waiting = this.#waiting[poll];
      if (waiting === undefined) return;
      this.#waiting[poll] = undefined;
      this.#armed.delete(waiting);
      take(waiting);
    });
  }

  /** Makes the descriptor readable. */
  signal(): void {
    this.#events.write(1);
  }

  /** Takes back all arms. The descriptor stays open. */
  close(): void {
    for (const waiting of [...this.#armed.keys()]) this.disarm(waiting);
  }
}
