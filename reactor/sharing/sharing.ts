/**
 * Shares a reactor's thread with Deno's event loop.
 *
 * @module
 */

import { now } from "../clock.ts";
import { callsDue, hasWork } from "./deno_core.ts";
import { denoTurn } from "./deno_turn.ts";
import type {
  InternalWatches,
  ParkedWaits,
  SharedLoop,
} from "./shared_loop.ts";
import { createSliceClock, type SliceClock } from "./slice_clock.ts";

/**
 * Most turns in a row without Deno's I/O: its epoll instance does not show all of it.
 * Deno's runtime, tokio, polls I/O at every 61st tick, too.
 */
const MOST_TIMER_TURNS = 61;

/**
 * The part of an interval in which the reactor begins turns; the last one ends later.
 * Deno's timers are late by a turn and more. An interval of 5 ms ticks 195 times a
 * second in an idle thread. In a busy one it ticks 183 times with 0.6 ms between
 * Deno's turns, 177 with 0.7, 158 with 0.9.
 */
const SLICE = 0.4;

/**
 * The length of a slice with a pause, in intervals, while Deno has neither timers nor
 * I/O. Each end of a slice costs 20 to 40 µs, shared by few messages at partial load.
 * A slice without a pause stays short: during it the reactor does not see Deno's I/O.
 */
const LONG_SLICE = 2;

/**
 * The same while Deno has nothing to do at all, in milliseconds. It is checked before
 * each wait. Timers and new operations that keep nothing alive do not count: they may be
 * late by so much.
 */
const RESTING = 50;

/** Milliseconds between two queries of Deno's work while it has some. */
const WORK_QUERY_INTERVAL = 10;

/**
 * The part of an interval that one turn of the reactor may take. Time is checked
 * between turns only, so the length of a turn is an estimate.
 */
const TURN = 0.2;

/** Limits of the batch size of one turn. */
const FEWEST_EVENTS = 8;
const MOST_EVENTS = 64;

/**
 * Microtask steps between two turns of the reactor. Each step moves a chain of `await`s
 * by one: `pipeTo()` takes eight from a read to its write.
 */
const HOPS = 8;

/** The same before a wait that may sleep, which costs fifty times as much as these steps. */
const HOPS_BEFORE_SLEEP = 24;

/**
 * The mean pause between events, in milliseconds, from which on the reactor parks after
 * each event. A parked wait ends through a turn of Deno's loop, which costs more than a
 * sleep of its own. The ends of slices cost still more if few events share them: more
 * than one while Deno has nothing to do, about seven otherwise.
 */
const PARKING_PAUSE = 0.3;
const RESTING_PARKING_PAUSE = 20;

/** The part of the latest pause in the mean, and the longest pause that counts. */
const LATEST = 0.25;
const LONGEST_PAUSE = 50;

/**
 * When the link to Deno's loop is made, in milliseconds of a pause or of a busy start.
 * Making it blocks the thread for about 10 ms, so it is deferred. Until then, Deno's
 * pending I/O is not visible.
 */
const LINK_IN_PAUSE = 20;
const LINK_WHEN_BUSY = 500;

/** Alternates the turns of both loops. */
export class Sharing {
  readonly #loop: SharedLoop;
  readonly #waits: ParkedWaits;
  readonly #clock: SliceClock;
  readonly #watch: DenoWatch;
  readonly #interval: number;
  readonly #started = now();
  /** Batch size of one turn. */
  #batch = FEWEST_EVENTS;
  #timerTurns = 0;
  /** Earliest time of Deno's next I/O turn. */
  #nextIo = 0;
  /** The mean pause between two turns with events. */
  #pause = 0;
  /** Earliest time of the next query of Deno's work. */
  #nextWorkQuery = 0;
  /** Whether this reactor keeps the process alive by Deno's link. */
  #referenced = false;

  /**
   * Creates the clock and the watch of one `serve()`.
   *
   * @param interval Milliseconds between two turns of Deno's loop, at most
   * @throws {SystemError} `EMFILE`: no descriptors left
   */
  constructor(loop: SharedLoop, waits: ParkedWaits, interval: number) {
    this.#loop = loop;
    this.#waits = waits;
    this.#interval = interval;
    this.#clock = createSliceClock(loop);
    this.#watch = new DenoWatch(loop);
    denoTurn.enter();
  }

  /**
   * Shares the thread until the loop is to end. At a high rate the next message
   * arrives before the interval is over: waiting here is cheaper than parking.
   */
  async share(): Promise<void> {
    const loop = this.#loop;
    // Such an interval delays Deno's loop by more than the link does.
    if (this.#interval >= LINK_IN_PAUSE) await this.#link();
    while (!loop.ending()) {
      const before = loop.events();
      const start = now();
      await this.#takeInterval();
      if (loop.ending()) return;
      this.#waits.lookAfterOthers();
      const events = loop.events() - before;
      if (events === 0 && loop.timeout() > 0) await this.#park();
      else {
        const end = now();
        if (events > 0) this.#adaptBatch(events, end - start);
        this.#notePause(this.#clock.sleeps ? (end - start) / (events + 1) : 0);
        if (this.#shallPark(end)) await this.#park();
        else await this.#yield(end);
      }
    }
  }

  /** Returns whether the next event is so far away that the reactor parks. */
  #shallPark(time: number): boolean {
    if (this.#pause < PARKING_PAUSE) return false;
    return this.#pause >= RESTING_PARKING_PAUSE || !this.#denoRests(time);
  }

  /** Returns whether Deno has nothing to do, and its epoll would show external events. */
  #denoRests(time: number): boolean {
    if (time < this.#nextWorkQuery) return false;
    const seen = this.#waits.alone() && denoTurn.epoll !== null &&
      this.#loop.keepsAlive();
    if (seen) {
      this.#setRef(false);
      if (!hasWork()) return true;
    }
    this.#nextWorkQuery = time + WORK_QUERY_INTERVAL;
    return false;
  }

  #notePause(milliseconds: number): void {
    const pause = Math.min(milliseconds, LONGEST_PAUSE);
    this.#pause += LATEST * (pause - this.#pause);
  }

  /** Fits the next batches into a turn, assuming callbacks as long as the last ones. */
  #adaptBatch(events: number, milliseconds: number): void {
    const most = TURN * this.#interval * events / milliseconds;
    this.#batch = Math.min(Math.max(most, FEWEST_EVENTS), MOST_EVENTS) | 0;
  }

  /**
   * Takes the reactor's part of an interval. Promises that callbacks resolved continue
   * between its turns. Deno goes first if Deno alone has something ready.
   */
  async #takeInterval(): Promise<void> {
    const loop = this.#loop;
    const watch = this.#watch;
    const clock = this.#clock;
    const start = now();
    const shortest = SLICE * this.#interval;
    const resting = this.#denoRests(start);
    clock.start(start, shortest, resting ? RESTING : this.#calmSliceAt(start));
    watch.watch(true);
    for (;;) {
      // A callback may have given Deno something to do.
      if (resting && !this.#denoRests(start)) return;
      watch.ready = false;
      // `process.nextTick` and `setImmediate` run before a wait that may sleep.
      const calls = callsDue();
      const timeout = calls ? 0 : clock.timeout();
      const ready = loop.turn(timeout, this.#batch);
      if (loop.ending()) return;
      if (calls && ready === 0) await denoTurn.runTimers();
      else await this.#runPromises(ready);
      if (loop.ending() || (calls ? clock.passed() : clock.over(ready))) {
        return;
      }
      if (!watch.ready) continue;
      if (ready === 1) await this.#runIo();
      else if (now() >= start + shortest) return;
    }
  }

  /** Lets promises continue that a turn has resolved. */
  async #runPromises(ready: number): Promise<void> {
    // Timers and `callSoon()` may have resolved some.
    if (ready === 0) return await hop(HOPS_BEFORE_SLEEP);
    const { promises } = this.#loop;
    let before: number;
    do {
      before = promises.resolvedWithoutTurn;
      await hop(this.#clock.sleeps ? HOPS_BEFORE_SLEEP : HOPS);
    } while (promises.resolvedWithoutTurn > before);
  }

  /** Returns the length of a slice with a pause. */
  #calmSliceAt(time: number): number {
    const alone = this.#waits.alone() && !denoTurn.mayHaveTimers(time);
    const long = alone && denoTurn.epoll !== null;
    return (long ? LONG_SLICE : SLICE) * this.#interval;
  }

  /** Takes Deno's part: its timers, and once an interval its pending I/O. */
  #yield(time: number): Promise<void> {
    this.#setRef(true);
    if (!denoTurn.linked && time - this.#started >= LINK_WHEN_BUSY) {
      return this.#link();
    }
    if (time >= this.#nextIo && this.#mayHaveIo()) {
      this.#nextIo = time + this.#interval;
      return this.#runIo();
    }
    this.#timerTurns++;
    return denoTurn.runTimers();
  }

  /** Returns whether Deno may have pending I/O: true where its epoll is not known. */
  #mayHaveIo(): boolean {
    const { epoll } = denoTurn;
    return epoll === null || this.#timerTurns >= MOST_TIMER_TURNS ||
      epoll.ready;
  }

  #runIo(): Promise<void> {
    this.#timerTurns = 0;
    this.#setRef(true);
    return denoTurn.runIo(this.#interval);
  }

  /** Parks while events are rare. */
  async #park(): Promise<void> {
    this.#watch.watch(false);
    const linking = denoTurn.linked
      ? null
      : setTimeout(() => this.#link(), LINK_IN_PAUSE);
    if (linking !== null) Deno.unrefTimer(linking);
    do {
      this.#setRef(this.#loop.keepsAlive());
      this.#notePause(await this.#waits.park(this.#wakeAfter));
    } while (!this.#loop.ending() && this.#shallPark(now()));
    if (linking !== null) clearTimeout(linking);
  }

  readonly #wakeAfter = (milliseconds: number): boolean =>
    this.#clock.wakeAfter(milliseconds);

  async #link(): Promise<void> {
    try {
      await denoTurn.link();
    } catch {
      // No descriptor left: I/O turns stay as expensive as without a link.
    }
  }

  #setRef(referenced: boolean): void {
    if (referenced === this.#referenced) return;
    this.#referenced = referenced;
    denoTurn.setRef(referenced);
  }

  /** Releases everything; resolves when Deno has closed its end of the link. */
  async close(): Promise<void> {
    this.#setRef(false);
    this.#clock.close();
    this.#watch.watch(false);
    await denoTurn.leave();
  }
}

/** For `hop()`: an await of any other value makes a promise of it. */
const settled = Promise.resolve();

/** Lets promises continue, by so many microtask steps. */
async function hop(steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) await settled;
}

/** Watches Deno's epoll instance by the reactor's selector. */
class DenoWatch {
  /** Whether Deno's epoll instance was ready at the last wait. */
  ready = false;
  fd = -1;
  readonly #watches: InternalWatches;
  readonly #onReady = (): void => {
    this.ready = true;
  };

  constructor(watches: InternalWatches) {
    this.#watches = watches;
  }

  /** Starts or ends the watch. A parked wait leaves Deno's I/O to Deno's own loop. */
  watch(watching: boolean): void {
    const fd = watching ? denoTurn.epoll?.fd ?? -1 : -1;
    if (fd === this.fd) return;
    if (this.fd !== -1) this.#watches.unwatch(this);
    this.fd = fd;
    if (fd !== -1) this.#start();
  }

  #start(): void {
    try {
      this.#watches.watch(this, this.#onReady);
    } catch {
      // A limit of watches (ENOSPC) or of the selector: Deno's I/O then waits for the
      // end of a slice.
      this.fd = -1;
    }
  }
}
