/**
 * Shares a reactor's thread with Deno's event loop.
 *
 * @module
 */

import { now } from "../clock.ts";
import { hasTimers, hasWork, nextTimer } from "./deno_core.ts";
import { denoTurn } from "./deno_turn.ts";
import { DenoWatch } from "./deno_watch.ts";
import type { ParkedWaits, SharedLoop } from "./shared_loop.ts";
import { Slice, type Stop } from "./slice.ts";
import { createSliceClock, type SliceClock } from "./slice_clock.ts";

/**
 * Most turns in a row without Deno's I/O: its epoll instance does not show all of it.
 * Deno's runtime, tokio, polls I/O at every 61st tick, too.
 */
const MOST_TIMER_TURNS = 61;

/**
 * The length of a slice with a pause, in intervals, while Deno has neither timers nor
 * I/O. Each end of a slice costs 20 to 40 µs, shared by few messages at partial load.
 * A slice without a pause stays short: during it the reactor does not see Deno's I/O.
 */
const LONG_SLICE = 2;

/**
 * The same while Deno has nothing to do at all, in milliseconds. It is checked before
 * each wait. New operations that keep nothing alive do not count: they may be late by so
 * much. Neither do timers that keep nothing alive, where their time is not known.
 */
const RESTING = 1000;
const RESTING_WITHOUT_TIMERS = 50;

/** Deno does not rest in so many milliseconds before a timer: its clock is another one. */
const BEFORE_TIMER = 20;

/** Milliseconds between two queries of Deno's work while it has some. */
const WORK_QUERY_INTERVAL = 10;

/**
 * The mean pause between events, in milliseconds, from which on the reactor parks after
 * each event. A parked wait ends through a turn of Deno's loop, which costs more than a
 * sleep of its own. The ends of slices cost still more if few events share them: more
 * than one while Deno has nothing to do, about seven otherwise.
 */
const PARKING_PAUSE = 0.3;
const RESTING_PARKING_PAUSE = 100;

/** The part of the latest pause in the mean, and the longest pause that counts. */
const LATEST = 0.25;
const LONGEST_PAUSE = 250;

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
  readonly #slice: Slice;
  readonly #interval: number;
  readonly #started = now();
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
    this.#slice = new Slice(loop, this.#clock, this.#watch, interval);
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
    // The first turn of Deno's timers loads modules, which takes about 10 ms.
    await this.#park();
    while (!loop.ending()) {
      const before = loop.events();
      await this.#takeInterval();
      if (loop.ending()) return;
      this.#waits.lookAfterOthers();
      const events = loop.events() - before;
      if (events === 0 && loop.timeout() > 0) await this.#park();
      else {
        const end = now();
        const took = end - this.#slice.start;
        if (events > 0) this.#slice.adaptBatch(events, took);
        this.#notePause(this.#clock.sleeps ? took / (events + 1) : 0);
        if (this.#shallPark(end)) await this.#park();
        else await this.#yield(end);
      }
    }
  }

  /** Returns whether the next event is so far away that the reactor parks. */
  #shallPark(time: number): boolean {
    if (this.#pause < PARKING_PAUSE) return false;
    return this.#pause >= RESTING_PARKING_PAUSE || this.#restAt(time) === 0;
  }

  /**
   * Returns for how many milliseconds Deno has nothing to do, from a time on. Without an
   * epoll instance that shows external events that is not known: 0.
   */
  #restAt(time: number): number {
    if (time < this.#nextWorkQuery) return 0;
    if (this.#seesAll() && this.#loop.keepsAlive()) {
      this.#setRef(false);
      const rest = hasWork() ? 0 : restWithoutWork(time);
      if (rest > 0) return rest;
    }
    this.#nextWorkQuery = time + WORK_QUERY_INTERVAL;
    return 0;
  }

  #notePause(milliseconds: number): void {
    const pause = Math.min(milliseconds, LONGEST_PAUSE);
    this.#pause += LATEST * (pause - this.#pause);
  }

  /**
   * Takes the reactor's part of an interval, between two turns of Deno's timers. Deno
   * polls I/O meanwhile if Deno alone has something ready.
   */
  async #takeInterval(): Promise<void> {
    this.#watch.watch(true);
    let stop = await denoTurn.afterTimers(this.#beginSlice);
    while (stop !== "over") {
      if (stop === "io") await this.#runIo();
      stop = await denoTurn.afterTimers(this.#goOn);
    }
  }

  readonly #beginSlice = (): Stop => {
    const time = now();
    this.#timerTurns++;
    const pause = this.#pause;
    const rest = this.#restAt(time);
    // A callback may give Deno something to do.
    return rest > 0
      ? this.#slice.begin(rest, pause, () => this.#restAt(time) >= rest)
      : this.#slice.begin(this.#calmSlice(), pause);
  };

  readonly #goOn = (): Stop => this.#slice.goOn();

  /** Returns whether a slice ends by Deno's I/O, and has no other loop to look after. */
  #seesAll(): boolean {
    return this.#waits.alone() && denoTurn.epoll !== null;
  }

  /** Returns the length of a slice with a pause. */
  #calmSlice(): number {
    const long = this.#seesAll() && !hasTimers();
    return long ? LONG_SLICE * this.#interval : this.#slice.busy;
  }

  /** Takes Deno's part: its timers, and once an interval its pending I/O. */
  async #yield(time: number): Promise<void> {
    if (!denoTurn.linked && time - this.#started >= LINK_WHEN_BUSY) {
      await this.#link();
    } else if (time >= this.#nextIo && this.#mayHaveIo()) {
      this.#nextIo = time + this.#interval;
      await this.#runIo();
    }
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

/** Returns for how many milliseconds Deno rests that has no operations, up to its timers. */
function restWithoutWork(time: number): number {
  const due = nextTimer();
  if (due === null) return RESTING_WITHOUT_TIMERS;
  return Math.min(due - BEFORE_TIMER - time, RESTING);
}
