/**
 * The parked waits of the reactors of a thread, while Deno's loop runs and sleeps.
 *
 * Where the system has an alarm, Deno's loop reads it, and so wakes up for a reactor.
 *
 * Otherwise the wait is on another thread. It occupies one of Deno's 32 threads for
 * blocking calls, and cannot be cancelled. So all these reactors share one: a poll(2)
 * of their selectors. It is under way only while all reactors are parked. Otherwise an
 * active reactor polls the parked ones between its slices.
 *
 * @module
 */

import type { LoopSelector } from "../backends/selector.ts";
import type { SelectorAlarm } from "../backends/selector_alarm.ts";
import { SelectorPoll } from "../backends/selector_poll.ts";
import { now } from "./clock.ts";
import { wake, Waker } from "./waker.ts";

/** Milliseconds within which an interrupted wait has surely ended. */
const LONGEST_END = 60_000;

/** One serving reactor. */
export class Seat {
  /** The selector of the reactor. */
  readonly selector: LoopSelector<unknown>;
  /** Latest end of its parked wait, by `now()`. */
  deadline = Infinity;
  /** Whether its parked wait keeps the process alive. */
  referenced = true;
  /** Ends its parked wait; null while it is active. */
  resume: (() => void) | null = null;

  /** Called by `Parking.enter()`. */
  constructor(selector: LoopSelector<unknown>) {
    this.selector = selector;
  }
}

/** A wait under way on another thread. */
interface Wait {
  readonly seats: readonly Seat[];
  readonly deadline: number;
  readonly referenced: boolean;
  /** Keeps the process alive until an interrupted wait has ended; null before. */
  ending: ReturnType<typeof setTimeout> | null;
  /** Resolves when the wait has ended, and ready seats are resumed. */
  readonly ended: Promise<void>;
}

/** The serving reactors of a thread. */
export class Parking {
  /** How many reactors serve, parked or active. */
  seats = 0;
  /** Those that wait for the alarm, and those that wait on another thread. */
  readonly #alarmed = new Set<Seat>();
  readonly #parked = new Set<Seat>();
  #alarm: SelectorAlarm<Seat> | null = null;
  readonly #covered = new SelectorPoll();
  readonly #looked = new SelectorPoll();
  #waker: Waker | null = null;
  #wait: Wait | null = null;

  /**
   * Adds a reactor that begins to serve.
   *
   * @throws {SystemError} `EMFILE`: no descriptors left
   */
  enter(selector: LoopSelector<unknown>): Seat {
    this.#waker ??= new Waker();
    this.seats++;
    return new Seat(selector);
  }

  /** Removes a reactor; resolves when no wait on another thread uses its selector. */
  async leave(seat: Seat): Promise<void> {
    seat.resume?.();
    this.#alarm?.disarm(seat);
    this.seats--;
    const wait = this.#wait;
    if (wait !== null && (this.seats === 0 || wait.seats.includes(seat))) {
      this.#interrupt(wait);
      await wait.ended;
    }
    // Other reactors may have entered or left meanwhile.
    if (this.seats > 0) return this.#settle();
    this.#waker?.close();
    this.#waker = null;
  }

  /** Sets the alarm that Deno's loop reads; null if there is none any more. */
  useAlarm(alarm: SelectorAlarm<Seat> | null): void {
    this.#alarm = alarm;
    resumeAll([...this.#alarmed]);
  }

  /** Whether reactors wait for an alarm, which Deno's loop reads. */
  get hasAlarm(): boolean {
    return this.#alarm !== null;
  }

  /** Resumes the reactors that the alarm has rung for. */
  takeRung(): void {
    this.#alarm?.takeRung(resume);
  }

  /**
   * Waits for the alarm, until a file object is ready, or `unpark()`.
   *
   * @returns null if the alarm cannot wait for this reactor
   */
  parkForAlarm(
    seat: Seat,
    deadline: number,
    referenced: boolean,
  ): Promise<void> | null {
    if (this.#alarm === null || !this.#alarm.arm(seat)) return null;
    // A wait of the time before the alarm would keep the process alive.
    if (this.#wait !== null && this.#parked.size === 0) {
      this.#interrupt(this.#wait);
    }
    return this.#park(seat, deadline, referenced, this.#alarmed);
  }

  /**
   * Waits until a file object may be ready, the deadline has passed, or `unpark()`.
   *
   * @param deadline By `now()`
   * @param referenced Whether the wait keeps the process alive
   */
  park(seat: Seat, deadline: number, referenced: boolean): Promise<void> {
    return this.#park(seat, deadline, referenced, this.#parked);
  }

  #park(
    seat: Seat,
    deadline: number,
    referenced: boolean,
    among: Set<Seat>,
  ): Promise<void> {
    seat.deadline = deadline;
    seat.referenced = referenced;
    return new Promise((resolve) => {
      seat.resume = () => {
        seat.resume = null;
        among.delete(seat);
        resolve();
      };
      among.add(seat);
      this.#settle();
    });
  }

  /** Ends a parked wait at once, from this thread. */
  unpark(seat: Seat): void {
    if (seat.resume === null) return;
    seat.resume();
    // A poll(2) under way keeps its files open.
    const wait = this.#wait;
    if (wait === null || seat.selector.waitFd >= 0) return;
    if (wait.seats.includes(seat)) this.#interrupt(wait);
  }

  /** Resumes the parked reactors that have ready file objects, for an active reactor. */
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

  /** Begins a wait for all reactors, or replaces the one under way, if all are parked. */
  #settle(): void {
    const waiting = this.#parked.size + this.#alarmed.size;
    if (this.#parked.size === 0 || waiting < this.seats) return;
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
   * Returns whether an earlier wait covers all reactors that are parked now. A selector
   * without a descriptor of its own is polled by its registrations of that time.
   */
  #covers(wait: Wait): boolean {
    for (const seat of this.#parked) {
      if (seat.selector.waitFd < 0 || !wait.seats.includes(seat)) return false;
    }
    return true;
  }

  #interrupt(wait: Wait): void {
    if (wait.ending !== null) return;
    // Deno does not report the end of a wait that does not keep the process alive.
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

function resume(seat: Seat): void {
  seat.resume?.();
}

/** Resumes reactors after a refused poll: each reports the cause in its own wait. */
function resumeAll(seats: readonly Seat[]): void {
  seats.forEach(resume);
}

/** @param first The index of the first seat in the poll */
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
