/**
 * Shares a reactor's thread with Deno's own loop, by turns.
 *
 * @module
 */

import { EVENT_READ, type FileObject } from "../backends/selector.ts";
import { DenoTurn } from "./deno_turn.ts";
import type { Loop } from "./loop.ts";
import { createSliceClock, type SliceClock } from "./slice_clock.ts";
import { now } from "./timers.ts";

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
 * What part of an interval one turn of the reactor may take, as far as it can be
 * foreseen: only between turns can the time be looked at.
 */
const TURN = 0.2;

/** How many callbacks there may be in one turn, whatever they have taken so far. */
const FEWEST_EVENTS = 8;
const MOST_EVENTS = 64;

/** The turns of both loops. */
export class Sharing {
  readonly #shared: SharedLoop;
  readonly #deno: DenoTurn;
  readonly #clock: SliceClock;
  readonly #watch: DenoWatch | null;
  readonly #interval: number;
  /** How many callbacks are to be in one turn. */
  #most = FEWEST_EVENTS;
  #briefTurns = 0;
  /** From when on Deno may have its I/O again, if it has any. */
  #nextFull = 0;

  private constructor(
    loop: Loop,
    shared: SharedLoop,
    deno: DenoTurn,
    interval: number,
  ) {
    this.#shared = shared;
    this.#deno = deno;
    this.#interval = interval;
    this.#clock = createSliceClock(loop, SLICE * interval);
    this.#watch = deno.selector === null
      ? null
      : new DenoWatch(loop, deno.selector.fd);
  }

  /**
   * Makes what it takes to share.
   *
   * @param interval Milliseconds between two turns of Deno's loop, at most
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  static async create(
    loop: Loop,
    shared: SharedLoop,
    interval: number,
  ): Promise<Sharing> {
    const deno = await DenoTurn.create();
    try {
      return new Sharing(loop, shared, deno, interval);
    } catch (error) {
      await deno.close();
      throw error;
    }
  }

  /**
   * Shares until the loop is to end. While traffic is brisk the next message comes
   * before the interval is over, and waiting for it here is cheaper than parking.
   */
  async share(): Promise<void> {
    const shared = this.#shared;
    while (!shared.ending()) {
      const before = shared.events();
      const start = now();
      await this.#takeInterval();
      if (shared.ending()) return;
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

  /** The reactor's own time, in slices if Deno has I/O to do meanwhile. */
  async #takeInterval(): Promise<void> {
    this.#clock.start();
    this.#watch?.watch(true);
    while (!this.#slice()) await this.#full();
  }

  /**
   * @returns false if Deno may go first, since it has something and nobody else has;
   *   true if the reactor's time is over
   */
  #slice(): boolean {
    const shared = this.#shared;
    const watch = this.#watch;
    for (;;) {
      if (watch !== null) watch.came = false;
      const ready = shared.turn(this.#clock.timeout(), this.#most);
      if (shared.ending() || this.#clock.over(ready)) return true;
      if (ready === 1 && watch !== null && watch.came) return false;
    }
  }

  /** Deno's time: its timers, and once an interval its I/O, if it has any. */
  #yield(time: number): Promise<void> {
    if (time >= this.#nextFull && this.#hasInput()) {
      this.#nextFull = time + this.#interval;
      return this.#full();
    }
    this.#briefTurns++;
    this.#deno.hold(true);
    return this.#deno.brief();
  }

  /** Whether Deno has to ask the system, as far as that can be seen. */
  #hasInput(): boolean {
    const { selector } = this.#deno;
    return selector === null || this.#briefTurns >= MOST_BRIEF_TURNS ||
      selector.ready;
  }

  #full(): Promise<void> {
    this.#briefTurns = 0;
    this.#deno.hold(true);
    return this.#deno.full(this.#interval);
  }

  #park(): Promise<void> {
    this.#deno.hold(false);
    this.#clock.stop();
    this.#watch?.watch(false);
    return this.#shared.park();
  }

  /** Gives back everything; resolves when Deno has let go of its part. */
  async close(): Promise<void> {
    this.#clock.close();
    this.#watch?.watch(false);
    await this.#deno.close();
  }
}

/** Deno's selector among the descriptors of a reactor. */
class DenoWatch {
  /** Whether it was ready at the last wait. */
  came = false;
  readonly fd: number;
  readonly #loop: Loop;
  #watching = false;

  constructor(loop: Loop, fd: number) {
    this.#loop = loop;
    this.fd = fd;
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    const watch = fileobj as DenoWatch;
    watch.came = true;
    watch.#loop.countOwnEvent();
  };

  /** A parked wait must not see it: Deno wakes by itself then. */
  watch(watching: boolean): void {
    if (watching === this.#watching || this.#loop.closed) return;
    this.#watching = watching;
    if (watching) {
      this.#loop.selector.register(this, EVENT_READ, DenoWatch.#onReady);
    } else this.#loop.selector.unregister(this);
    this.#loop.countInternal(watching ? 1 : -1);
  }
}
