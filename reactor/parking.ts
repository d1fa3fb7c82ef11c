/**
 * One parked wait for all reactors of a thread.
 *
 * A wait on another thread occupies one of the 32 threads that Deno has for
 * blocking calls, and cannot be cancelled. So there is one, a poll(2) of all
 * selectors, and only while every serving reactor of this thread is parked: as
 * long as one of them is at work, it looks after the others between its slices.
 *
 * @module
 */

import type { LoopSelector } from "../backends/selector.ts";
import { SelectorPoll } from "../backends/selector_poll.ts";
import { now } from "./clock.ts";
import { wake, Waker } from "./waker.ts";

/** More milliseconds than a wait takes to end. */
const LONGEST_END = 60_000;

/** The place of one serving reactor. */
export class Seat {
  /** What the reactor waits with. */
  readonly selector: LoopSelector<unknown>;
  /** When its parked wait ends at the latest. */
  deadline = Infinity;
  /** Whether its parked wait keeps the process open. */
  referenced = true;
  /** Ends its parked wait; null while it is at work. */
  resume: (() => void) | null = null;

  /** Made by `Parking.enter`. */
  constructor(selector: LoopSelector<unknown>) {
    this.selector = selector;
  }
}

/** A wait that is under way on another thread. */
interface Wait {
  readonly seats: readonly Seat[];
  readonly deadline: number;
  readonly referenced: boolean;
  /** What keeps the process open until it has ended; null if it is not to end. */
  ending: ReturnType<typeof setTimeout> | null;
  /** Resolves when it has ended, and ready seats are resumed. */
  readonly ended: Promise<void>;
}

/** The serving reactors of a thread. */
export class Parking {
  /** How many reactors serve, parked or not. */
  seats = 0;
  readonly #parked = new Set<Seat>();
  readonly #covered = new SelectorPoll();
  readonly #looked = new SelectorPoll();
  #waker: Waker | null = null;
  #wait: Wait | null = null;

  /**
   * Gives a reactor that begins to serve a place.
   *
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  enter(selector: LoopSelector<unknown>): Seat {
    this.#waker ??= new Waker();
    this.seats++;
    return new Seat(selector);
  }

  /** Frees a place; resolves when no wait on another thread uses its selector. */
  async leave(seat: Seat): Promise<void> {
    seat.resume?.();
    this.seats--;
    const wait = this.#wait;
    if (wait !== null && (this.seats === 0 || wait.seats.includes(seat))) {
      this.#interrupt(wait);
      await wait.ended;
    }
    // Others may have come or gone meanwhile.
    if (this.seats > 0) return this.#settle();
    this.#waker?.close();
    this.#waker = null;
  }

  /**
   * Waits until something may be ready, the deadline has come, or `unpark()`.
   *
   * @param deadline By `now()`
   * @param referenced Whether the wait keeps the process open
   */
  park(seat: Seat, deadline: number, referenced: boolean): Promise<void> {
    seat.deadline = deadline;
    seat.referenced = referenced;
    return new Promise((resolve) => {
      seat.resume = () => {
        seat.resume = null;
        this.#parked.delete(seat);
        resolve();
      };
      this.#parked.add(seat);
      this.#settle();
    });
  }

  /** Ends a parked wait at once, from this thread. */
  unpark(seat: Seat): void {
    if (seat.resume === null) return;
    seat.resume();
    // A poll(2) under way keeps the files open that it was given.
    const wait = this.#wait;
    if (wait === null || seat.selector.waitFd >= 0) return;
    if (wait.seats.includes(seat)) this.#interrupt(wait);
  }

  /**
   * Resumes those of the parked that have something: for a reactor at work, since
   * no wait of theirs is under way.
   */
  look(): void {
    if (this.#parked.size === 0) return;
    const seats = [...this.#parked];
    this.#looked.clear();
    for (const { selector } of seats) this.#looked.addSelector(selector);
    try {
      this.#looked.look();
    } catch {
      return resumeAll(seats);
    }
    resumeReady(seats, this.#looked, 0);
  }

  /** Has a wait under way that covers all parked, if all are. */
  #settle(): void {
    if (this.#parked.size === 0 || this.#parked.size < this.seats) return;
    const deadline = Math.min(...this.#deadlines());
    const referenced = this.#anyReferenced();
    const wait = this.#wait;
    if (wait === null) this.#begin(deadline, referenced);
    else if (
      wait.deadline > deadline || wait.referenced !== referenced ||
      !this.#covers(wait)
    ) this.#interrupt(wait);
  }

  #begin(deadline: number, referenced: boolean): void {
    const seats = [...this.#parked];
    this.#covered.clear();
    this.#covered.addWaker(this.#waker!.fd);
    for (const { selector } of seats) this.#covered.addSelector(selector);
    const timeout = Math.max(deadline - now(), 0);
    const ended = this.#covered.park(timeout, referenced).then(
      () => this.#resumeReady(seats),
      () => this.#resumeAll(seats),
    );
    this.#wait = { seats, deadline, referenced, ending: null, ended };
  }

  #resumeReady(seats: readonly Seat[]): void {
    this.#forgetWait();
    if (this.#covered.isReady(0)) this.#waker!.drain();
    resumeReady(seats, this.#covered, 1);
    this.#settle();
  }

  #resumeAll(seats: readonly Seat[]): void {
    this.#forgetWait();
    resumeAll(seats);
  }

  #forgetWait(): void {
    const { ending } = this.#wait!;
    if (ending !== null) clearTimeout(ending);
    this.#wait = null;
  }

  /**
   * Whether a wait that was begun earlier sees all that is parked now. Of a
   * selector that is polled by its registrations it has those of that time.
   */
  #covers(wait: Wait): boolean {
    for (const seat of this.#parked) {
      if (seat.selector.waitFd < 0 || !wait.seats.includes(seat)) return false;
    }
    return true;
  }

  #interrupt(wait: Wait): void {
    if (wait.ending !== null) return;
    // A wait that does not keep the process open would not be seen to end.
    wait.ending = setTimeout(() => {}, LONGEST_END);
    wake(this.#waker!.wakeFd);
  }

  *#deadlines(): Generator<number> {
    for (const { deadline } of this.#parked) yield deadline;
  }

  #anyReferenced(): boolean {
    for (const { referenced } of this.#parked) if (referenced) return true;
    return false;
  }
}

/** The poll was refused: each reactor meets the cause in a wait of its own. */
function resumeAll(seats: readonly Seat[]): void {
  for (const seat of seats) seat.resume?.();
}

/** @param first The place of the first seat in the poll */
function resumeReady(
  seats: readonly Seat[],
  poll: SelectorPoll,
  first: number,
): void {
  const time = now();
  for (const [index, seat] of seats.entries()) {
    const due = seat.deadline <= time || poll.isReady(first + index);
    if (due) seat.resume?.();
  }
}

/** The serving reactors of this thread. */
export const parking: Parking = new Parking();
