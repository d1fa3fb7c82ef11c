/**
 * Shares a reactor's thread with Deno's own loop, by turns.
 *
 * @module
 */

import { EVENT_READ, type FileObject } from "../../backends/selector.ts";
import { callsDue } from "./deno_core.ts";
import { denoTurn } from "./deno_turn.ts";
import type { Loop } from "../loop.ts";
import { createSliceClock, type SliceClock } from "./slice_clock.ts";
import { now } from "../clock.ts";

/** What a loop lets its sharing do. */
export interface SharedLoop {
  /** Whether the sharing is to end. */
  ending(): boolean;
  /** Whether something is to be called without any wait. */
  due(): boolean;
  /** How many events there have been, the reactor's own left out. */
  events(): number;
  /**
   * Waits once, and calls back.
   *
   * @param longest Milliseconds
   * @param most How many at the most, where the selector can be told
   * @returns how many were ready
   */
  turn(longest: number, most: number): number;
  /** Waits on another thread until something comes, and calls back. */
  park(): Promise<void>;
  /** Whether no other loop of this thread serves. */
  alone(): boolean;
  /** How many promises were resolved since the last turn without one. */
  wentOn(): number;
  /** Resumes the parked loops of this thread that have something. */
  lookAfterParked(): void;
}

/**
 * How many turns in a row may leave Deno's I/O aside: it has more to ask the
 * system for than a descriptor shows. Deno's runtime itself leaves it at 61.
 */
const MOST_BRIEF_TURNS = 61;

/**
 * What part of an interval the reactor begins turns in: the last takes its time,
 * too. Deno's timers are late by a turn and more: a 5 ms interval beside nothing
 * but a busy thread ticks 183 times a second with 0.6 ms between Deno's turns, 177
 * with 0.7, 158 with 0.9, where it is 195 in an idle one.
 */
const SLICE = 0.4;

/**
 * How many intervals it begins turns in where there is a pause, while Deno has
 * neither timers nor I/O. Each end of a slice costs 20 to 40 us, which at partial
 * load is for few messages. Without a pause it would hide from the reactor for too
 * long that Deno has I/O.
 */
const LONG_SLICE = 2;

/**
 * What part of an interval one turn of the reactor may take, as far as it can be
 * foreseen: only between turns can the time be looked at.
 */
const TURN = 0.2;

/** How many callbacks there may be in one turn, whatever they have taken so far. */
const FEWEST_EVENTS = 8;
const MOST_EVENTS = 64;

/**
 * How often promises go on before the next turn of the reactor. A chain of
 * `await`s goes one step each time: `pipeTo()` takes eight from what is read to
 * what is written.
 */
const HOPS = 8;

/** The same, before a wait that may sleep: it costs fifty times as much as these. */
const HOPS_BEFORE_SLEEP = 24;

/**
 * After how long full turns are made cheap, in milliseconds. It holds the thread
 * for about 10 ms, so it is put off until a pause, or until the loop has been
 * busy for a while. Until then, what Deno has to do cannot be seen.
 */
const LINK_IN_PAUSE = 20;
const LINK_WHEN_BUSY = 500;

/** The turns of both loops. */
export class Sharing {
  readonly #shared: SharedLoop;
  readonly #clock: SliceClock;
  readonly #watch: DenoWatch;
  readonly #interval: number;
  readonly #started = now();
  /** How many callbacks are to be in one turn. */
  #most = FEWEST_EVENTS;
  #briefTurns = 0;
  /** From when on Deno may have its I/O again, if it has any. */
  #nextFull = 0;
  /** Whether this reactor keeps the process open by Deno's link. */
  #holding = false;

  private constructor(
    loop: Loop,
    shared: SharedLoop,
    interval: number,
  ) {
    this.#shared = shared;
    this.#interval = interval;
    this.#clock = createSliceClock(loop);
    this.#watch = new DenoWatch(loop);
    denoTurn.enter();
  }

  /**
   * Makes what it takes to share.
   *
   * @param interval Milliseconds between two turns of Deno's loop, at most
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  static create(loop: Loop, shared: SharedLoop, interval: number): Sharing {
    return new Sharing(loop, shared, interval);
  }

  /**
   * Shares until the loop is to end. While traffic is brisk the next message comes
   * before the interval is over, and waiting for it here is cheaper than parking.
   */
  async share(): Promise<void> {
    const shared = this.#shared;
    // Deno's loop is given longer waits than that anyway.
    if (this.#interval >= LINK_IN_PAUSE) await this.#link();
    while (!shared.ending()) {
      const before = shared.events();
      const start = now();
      await this.#takeInterval();
      if (shared.ending()) return;
      shared.lookAfterParked();
      const events = shared.events() - before;
      if (events > 0 || shared.due()) {
        const end = now();
        if (events > 0) this.#foresee(events, end - start);
        await this.#yield(end);
      } else await this.#park();
    }
  }

  /** The next turns are as long as they may be, if their callbacks take as long as these. */
  #foresee(events: number, milliseconds: number): void {
    const most = TURN * this.#interval * events / milliseconds;
    this.#most = Math.min(Math.max(most, FEWEST_EVENTS), MOST_EVENTS) | 0;
  }

  /**
   * The reactor's own time. What its callbacks have resolved goes on between its
   * turns, and Deno goes first if it has something while the reactor has nothing.
   */
  async #takeInterval(): Promise<void> {
    const shared = this.#shared;
    const watch = this.#watch;
    const clock = this.#clock;
    const start = now();
    const shortest = SLICE * this.#interval;
    clock.start(start, shortest, this.#calmSliceAt(start) * this.#interval);
    watch.watch(true);
    for (;;) {
      watch.came = false;
      // `process.nextTick` and `setImmediate` come before a wait that may sleep.
      const calls = callsDue();
      const timeout = calls ? 0 : clock.timeout();
      const ready = shared.turn(timeout, this.#most);
      if (shared.ending()) return;
      if (ready > 0) {
        let before: number;
        do {
          before = shared.wentOn();
          await hop(clock.sleeps ? HOPS_BEFORE_SLEEP : HOPS);
        } while (shared.wentOn() > before);
      } else if (calls) await denoTurn.brief();
      else if (!clock.sleeps) await hop(HOPS_BEFORE_SLEEP);
      if (shared.ending() || (calls ? clock.passed() : clock.over(ready))) {
        return;
      }
      if (!watch.came) continue;
      if (ready === 1) await this.#full();
      else if (now() >= start + shortest) return;
    }
  }

  /** How many intervals a slice takes that begins now, and has a pause. */
  #calmSliceAt(time: number): number {
    const alone = this.#shared.alone() && !denoTurn.mayHaveTimers(time);
    return alone && denoTurn.selector !== null ? LONG_SLICE : SLICE;
  }

  /** Deno's time: its timers, and once an interval its I/O, if it has any. */
  #yield(time: number): Promise<void> {
    this.#hold(true);
    if (!denoTurn.linked && time - this.#started >= LINK_WHEN_BUSY) {
      return this.#link();
    }
    if (time >= this.#nextFull && this.#hasInput()) {
      this.#nextFull = time + this.#interval;
      return this.#full();
    }
    this.#briefTurns++;
    return denoTurn.brief();
  }

  /** Whether Deno has to ask the system, as far as that can be seen. */
  #hasInput(): boolean {
    const { selector } = denoTurn;
    return selector === null || this.#briefTurns >= MOST_BRIEF_TURNS ||
      selector.ready;
  }

  #full(): Promise<void> {
    this.#briefTurns = 0;
    this.#hold(true);
    return denoTurn.full(this.#interval);
  }

  async #park(): Promise<void> {
    this.#hold(false);
    this.#clock.stop();
    this.#watch.watch(false);
    const linking = denoTurn.linked
      ? null
      : setTimeout(() => this.#link(), LINK_IN_PAUSE);
    if (linking !== null) Deno.unrefTimer(linking);
    await this.#shared.park();
    if (linking !== null) clearTimeout(linking);
  }

  async #link(): Promise<void> {
    try {
      await denoTurn.link();
    } catch {
      // Without a descriptor for it, full turns stay as dear as they are.
    }
  }

  #hold(held: boolean): void {
    if (held === this.#holding) return;
    this.#holding = held;
    denoTurn.hold(held);
  }

  /** Gives back everything; resolves when Deno has let go of its part. */
  async close(): Promise<void> {
    this.#hold(false);
    this.#clock.close();
    this.#watch.watch(false);
    await denoTurn.leave();
  }
}

/** Lets promises go on, by so many steps. */
async function hop(steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) await undefined;
}

/** Deno's selector among the descriptors of a reactor. */
class DenoWatch {
  /** Whether it was ready at the last wait. */
  came = false;
  fd = -1;
  readonly #loop: Loop;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    const watch = fileobj as DenoWatch;
    watch.came = true;
    watch.#loop.countOwnEvent();
  };

  /** A parked wait must not see it: Deno wakes by itself then. */
  watch(watching: boolean): void {
    const fd = watching ? denoTurn.selector?.fd ?? -1 : -1;
    if (fd === this.fd || this.#loop.closed) return;
    if (this.fd !== -1) this.#unwatch();
    if (fd !== -1) this.#watch(fd);
  }

  #watch(fd: number): void {
    this.fd = fd;
    try {
      this.#loop.selector.register(this, EVENT_READ, DenoWatch.#onReady);
      this.#loop.countInternal(1);
    } catch {
      // Refused, by a limit of watches (ENOSPC) or of the selector: without it
      // Deno's I/O waits for the end of a slice.
      this.fd = -1;
    }
  }

  #unwatch(): void {
    this.#loop.selector.unregister(this);
    this.#loop.countInternal(-1);
    this.fd = -1;
  }
}
