/**
 * Timers: a heap of deadlines on the monotonic clock.
 *
 * @module
 */

/** The deadline of a timer that is over. */
const OVER = Infinity;

/**
 * A timer, which `callLater()` and `callEvery()` return.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assert, assertEquals } from "@std/assert";
 *
 * using reactor = new Reactor();
 * let ticks = 0;
 * const timer = reactor.callEvery(5, () => {
 *   if (++ticks === 3) timer.cancel();
 * });
 * const report = reactor.callEvery(1000, () => console.log(reactor.stats()));
 * report.unref(); // does not keep `run()` going
 * reactor.run(); // returns after the third tick
 * assertEquals(ticks, 3);
 * assert(report.active);
 * ```
 */
export interface Timer extends Disposable {
  /** When the timer is due, in milliseconds of `performance.now()`; `Infinity` once it is over. */
  readonly deadline: number;
  /** Milliseconds between calls; 0 for a timer that is called once. */
  readonly interval: number;
  /** Whether the timer keeps `run()` going. */
  readonly referenced: boolean;
  /** Whether a call is still due. */
  readonly active: boolean;
  /** Cancels the timer. On a timer that is over, it does nothing. */
  cancel(): void;
  /** Lets `run()` return although a call is still due. */
  unref(): this;
  /** Makes `run()` wait for the timer. This is the default. */
  ref(): this;
}

/** A timer of a `TimerQueue`. */
export class QueuedTimer implements Timer {
  deadline: number;
  readonly interval: number;
  /** The order of timers with equal deadlines. */
  sequence: number;
  referenced = true;
  /** Whether the timer is in the heap: false while it is being called. */
  queued = false;
  readonly callback: () => void;
  readonly #queue: TimerQueue;

  constructor(
    queue: TimerQueue,
    callback: () => void,
    deadline: number,
    interval: number,
    sequence: number,
  ) {
    this.#queue = queue;
    this.callback = callback;
    this.deadline = deadline;
    this.interval = interval;
    this.sequence = sequence;
  }

  get active(): boolean {
    return this.deadline !== OVER;
  }

  cancel(): void {
    if (this.deadline === OVER) return;
    this.deadline = OVER;
    this.#queue.forget(this);
  }

  unref(): this {
    if (this.referenced && this.active) this.#queue.count(-1);
    this.referenced = false;
    return this;
  }

  ref(): this {
    if (!this.referenced && this.active) this.#queue.count(1);
    this.referenced = true;
    return this;
  }

  [Symbol.dispose](): void {
    this.cancel();
  }
}

/** Up to so many timers, cancelled ones stay in the heap. */
const FEW = 64;

/**
 * Timers by deadline: a heap with four children a node. It is half as high as one with
 * two, and the deadlines of siblings are adjacent in memory.
 *
 * Cancelling marks a timer. When more than half are marked, all marked ones are removed
 * together. So a cancel needs no search, and cancelled timers hold no memory for long.
 */
export class TimerQueue {
  /** Timers that keep `run()` going. */
  referenced = 0;
  #timers: QueuedTimer[] = [];
  #deadlines = new Float64Array(FEW);
  #cancelled = 0;
  /** Active timers that were taken out, and are not called yet. */
  #taken = 0;
  #sequence = 0;
  readonly #onChange: () => void;

  /** @param onChange Called when the first referenced timer is added, or the last has gone */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** How many timers are active. */
  get size(): number {
    return this.#timers.length - this.#cancelled + this.#taken;
  }

  /**
   * Adds a timer.
   *
   * @param deadline When it is due, by `now()`
   * @param interval Milliseconds between calls, 0 for one call
   */
  add(callback: () => void, deadline: number, interval: number): QueuedTimer {
    const timer = new QueuedTimer(
      this,
      callback,
      deadline,
      interval,
      this.#sequence++,
    );
    this.#push(timer, deadline);
    this.count(1);
    return timer;
  }

  /** Counts referenced timers. */
  count(difference: 1 | -1): void {
    const before = this.referenced;
    this.referenced += difference;
    if (before === 0 || this.referenced === 0) this.#onChange();
  }

  /** Returns the timers in no order, some of them cancelled. */
  list(): QueuedTimer[] {
    return this.#timers.slice();
  }

  /** Returns the earliest deadline; `Infinity` without a timer. */
  nextDeadline(): number {
    while (this.#timers.length > 0 && !this.#timers[0]!.active) {
      this.#popFirst();
      this.#cancelled--;
    }
    return this.#timers.length > 0 ? this.#deadlines[0]! : Infinity;
  }

  /**
   * Takes out the timers that are due, in order.
   *
   * @param time The time by `now()`
   * @param maximum How many at most: a flood of timers must not starve I/O
   */
  takeDue(time: number, maximum: number): QueuedTimer[] {
    const due: QueuedTimer[] = [];
    while (due.length < maximum && this.nextDeadline() <= time) {
      due.push(this.#popFirst());
    }
    this.#taken += due.length;
    return due;
  }

  /**
   * Ends a timer that was taken out, or sets its next deadline, before it is called. The
   * next call is due one interval after this one was due, rather than after it is made.
   * Missed calls are skipped.
   */
  settle(timer: QueuedTimer, time: number): void {
    this.#taken--;
    if (timer.interval === 0) {
      timer.deadline = OVER;
      if (timer.referenced) this.count(-1);
      return;
    }
    const missed = Math.floor((time - timer.deadline) / timer.interval);
    const next = timer.deadline + (missed + 1) * timer.interval;
    // With the smallest intervals, the number of missed calls overflows.
    timer.deadline = next === OVER ? time : next;
    timer.sequence = this.#sequence++;
    this.#push(timer, timer.deadline);
  }

  /** Counts a cancelled timer. */
  forget(timer: QueuedTimer): void {
    if (timer.referenced) this.count(-1);
    if (!timer.queued) {
      this.#taken--;
      return;
    }
    this.#cancelled++;
    const length = this.#timers.length;
    if (length > FEW && this.#cancelled > length / 2) this.#removeCancelled();
  }

  /** Cancels all timers. */
  clear(): void {
    for (const timer of this.#timers) timer.deadline = OVER;
    this.#timers = [];
    this.#cancelled = 0;
    this.#taken = 0;
    this.referenced = 0;
  }

  #push(timer: QueuedTimer, deadline: number): void {
    const index = this.#timers.length;
    if (index === this.#deadlines.length) this.#grow();
    this.#timers.push(timer);
    this.#deadlines[index] = deadline;
    timer.queued = true;
    this.#rise(index);
  }

  #popFirst(): QueuedTimer {
    const first = this.#timers[0]!;
    const last = this.#timers.pop()!;
    first.queued = false;
    if (this.#timers.length > 0) {
      this.#place(0, last, this.#deadlines[this.#timers.length]!);
      this.#sink(0);
    }
    return first;
  }

  #place(index: number, timer: QueuedTimer, deadline: number): void {
    this.#timers[index] = timer;
    this.#deadlines[index] = deadline;
  }

  #grow(): void {
    const deadlines = new Float64Array(this.#deadlines.length * 2);
    deadlines.set(this.#deadlines);
    this.#deadlines = deadlines;
  }

  /** Returns whether the node at `a` comes before the one at `b`. */
  #isBefore(a: number, b: number): boolean {
    const difference = this.#deadlines[a]! - this.#deadlines[b]!;
    if (difference !== 0) return difference < 0;
    return this.#timers[a]!.sequence < this.#timers[b]!.sequence;
  }

  #swap(a: number, b: number): void {
    const timer = this.#timers[a]!;
    const deadline = this.#deadlines[a]!;
    this.#place(a, this.#timers[b]!, this.#deadlines[b]!);
    this.#place(b, timer, deadline);
  }

  #rise(index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 2;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(index: number): void {
    const length = this.#timers.length;
    for (;;) {
      const child = 4 * index + 1;
      if (child >= length) return;
      let least = child;
      const end = Math.min(child + 4, length);
      for (let other = child + 1; other < end; other++) {
        if (this.#isBefore(other, least)) least = other;
      }
      if (!this.#isBefore(least, index)) return;
      this.#swap(index, least);
      index = least;
    }
  }

  /** Rebuilds the heap from the active timers. */
  #removeCancelled(): void {
    const active = this.#timers.filter((timer) => timer.active);
    this.#timers = active;
    this.#cancelled = 0;
    for (let index = 0; index < active.length; index++) {
      this.#deadlines[index] = active[index]!.deadline;
    }
    for (let index = (active.length - 2) >> 2; index >= 0; index--) {
      this.#sink(index);
    }
  }
}
