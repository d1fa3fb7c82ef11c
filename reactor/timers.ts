/**
 * What is to be called later: a heap of deadlines on the monotonic clock.
 *
 * @module
 */

/** Where a timer without a deadline stands. */
const IDLE = Infinity;

/**
 * Something to be called later, once or again and again: what `callLater` and
 * `callEvery` return.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assert } from "@std/assert";
 *
 * using reactor = new Reactor();
 * const report = reactor.callEvery(1000, () => console.log(reactor.stats()));
 * report.unref(); // `run()` does not go on for its sake
 * reactor.run();
 * assert(report.active);
 * ```
 */
export class Timer {
  /** When it is due, in milliseconds of `now()`; `Infinity` once it is over. */
  deadline: number;
  /** Milliseconds between calls; 0 for a timer that is called once. */
  readonly interval: number;
  /**
   * The order in which timers with one deadline are called.
   *
   * @ignore
   */
  sequence: number;
  /** Whether `run()` goes on for its sake. */
  referenced = true;
  /**
   * Whether it is in the heap, and not just taken out to be called.
   *
   * @ignore
   */
  queued = false;
  readonly #callback: () => void;
  readonly #queue: TimerQueue;

  /** Made by `callLater` and `callEvery`. */
  constructor(
    queue: TimerQueue,
    callback: () => void,
    deadline: number,
    interval: number,
    sequence: number,
  ) {
    this.#queue = queue;
    this.#callback = callback;
    this.deadline = deadline;
    this.interval = interval;
    this.sequence = sequence;
  }

  /** Whether it is still to be called. */
  get active(): boolean {
    return this.deadline !== IDLE;
  }

  /** Calls it off. A timer that is over, or called off already, stays as it is. */
  cancel(): void {
    if (this.deadline === IDLE) return;
    this.deadline = IDLE;
    this.#queue.forget(this);
  }

  /** Lets `run()` return although it is still to be called. */
  unref(): this {
    if (this.referenced && this.active) this.#queue.count(-1);
    this.referenced = false;
    return this;
  }

  /** Makes `run()` wait for it, as at the beginning. */
  ref(): this {
    if (!this.referenced && this.active) this.#queue.count(1);
    this.referenced = true;
    return this;
  }

  /** Calls it off at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.cancel();
  }

  /**
   * Calls it.
   *
   * @ignore
   */
  fire(): void {
    this.#callback();
  }
}

/** Below this many, called-off timers are left where they are. */
const FEW = 64;

/**
 * Timers by deadline: a heap in which each node has four children, so that the
 * way down is half as long, and its deadlines lie beside each other in memory.
 *
 * To call one off is to mark it; when more than half are marked, they are
 * cleared out together. So it costs no search, and no memory in the long run.
 */
export class TimerQueue {
  /** How many there are that `run()` waits for. */
  referenced = 0;
  #timers: Timer[] = [];
  #deadlines = new Float64Array(FEW);
  #cancelled = 0;
  #sequence = 0;
  readonly #onChange: () => void;

  /** @param onChange Called when the first comes for which `run()` waits, and when the last goes */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** How many are to be called. */
  get size(): number {
    return this.#timers.length - this.#cancelled;
  }

  /**
   * Adds a timer.
   *
   * @param deadline When it is due
   * @param interval Milliseconds between calls, 0 for one call
   */
  add(callback: () => void, deadline: number, interval: number): Timer {
    const timer = new Timer(
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

  /** Counts those for which `run()` waits. */
  count(difference: 1 | -1): void {
    const before = this.referenced;
    this.referenced += difference;
    if (before === 0 || this.referenced === 0) this.#onChange();
  }

  /** The earliest deadline; `Infinity` if there is none. */
  nextDeadline(): number {
    while (this.#timers.length > 0 && !this.#timers[0]!.active) {
      this.#popFirst();
      this.#cancelled--;
    }
    return this.#timers.length > 0 ? this.#deadlines[0]! : Infinity;
  }

  /**
   * Takes out what is due, in order.
   *
   * @param time The time on the clock
   * @param maximum How many at the most: who floods the clock may not stop the loop
   */
  takeDue(time: number, maximum: number): Timer[] {
    const due: Timer[] = [];
    while (due.length < maximum && this.nextDeadline() <= time) {
      due.push(this.#popFirst());
    }
    return due;
  }

  /**
   * Settles a timer that was taken out, before it is called: it is over, or due
   * again. The next call is one interval after this one was due, not after it
   * was made; calls that were missed are left out, not caught up.
   */
  settle(timer: Timer, time: number): void {
    if (timer.interval === 0) {
      timer.deadline = IDLE;
      if (timer.referenced) this.count(-1);
      return;
    }
    const missed = Math.floor((time - timer.deadline) / timer.interval);
    const next = timer.deadline + (missed + 1) * timer.interval;
    // So many are missed of the smallest intervals that nobody can count them.
    timer.deadline = next === IDLE ? time : next;
    timer.sequence = this.#sequence++;
    this.#push(timer, timer.deadline);
  }

  /** Notes that a timer was called off. */
  forget(timer: Timer): void {
    if (timer.referenced) this.count(-1);
    if (!timer.queued) return;
    this.#cancelled++;
    const length = this.#timers.length;
    if (length > FEW && this.#cancelled > length / 2) this.#clearOut();
  }

  /** Calls all of them off. */
  clear(): void {
    for (const timer of this.#timers) timer.deadline = IDLE;
    this.#timers = [];
    this.#cancelled = 0;
    this.referenced = 0;
  }

  #push(timer: Timer, deadline: number): void {
    const index = this.#timers.length;
    if (index === this.#deadlines.length) this.#grow();
    this.#timers.push(timer);
    this.#deadlines[index] = deadline;
    timer.queued = true;
    this.#rise(index);
  }

  #popFirst(): Timer {
    const first = this.#timers[0]!;
    const last = this.#timers.pop()!;
    first.queued = false;
    if (this.#timers.length > 0) {
      this.#place(0, last, this.#deadlines[this.#timers.length]!);
      this.#sink(0);
    }
    return first;
  }

  #place(index: number, timer: Timer, deadline: number): void {
    this.#timers[index] = timer;
    this.#deadlines[index] = deadline;
  }

  #grow(): void {
    const deadlines = new Float64Array(this.#deadlines.length * 2);
    deadlines.set(this.#deadlines);
    this.#deadlines = deadlines;
  }

  /** Whether the node at `a` comes before the one at `b`. */
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

  /** Builds the heap anew from the timers that are still to be called. */
  #clearOut(): void {
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
