/**
 * The reactor's turns between two turns of Deno's loop.
 *
 * They run outside of all microtasks, so that the queue of microtasks can be drained
 * after each: all promises that callbacks resolved continue at once. Without Deno's
 * internals a slice is interrupted after each turn, by a turn of Deno's timers.
 *
 * @module
 */

import { now } from "../clock.ts";
import { callsDue, drainMicrotasks, drainsMicrotasks } from "./deno_core.ts";
import type { DenoWatch } from "./deno_watch.ts";
import type { SharedLoop } from "./shared_loop.ts";
import type { SliceClock } from "./slice_clock.ts";

/**
 * The part of an interval in which the reactor begins turns; the last one ends later.
 * Deno's timers are late by a turn and more. An interval of 5 ms ticks 195 times a
 * second in an idle thread. In a busy one it ticks 183 times with 0.6 ms between
 * Deno's turns, 177 with 0.7, 158 with 0.9.
 */
const SLICE = 0.4;

/**
 * The part of an interval that one turn of the reactor may take. Time is checked
 * between turns only, so the length of a turn is an estimate.
 */
const TURN = 0.2;

/** Limits of the batch size of one turn. */
const FEWEST_EVENTS = 8;
const MOST_EVENTS = 64;

/**
 * An event may end a slice early, by so many mean pauses, if fewer events than these are
 * expected in it. So a rare event and the end of a slice share a wake-up.
 */
const FEW = 32;
const LEAD = 1.5;

/** Why a slice stops: for Deno's timers, or for its I/O, or because it is over. */
export type Stop = "timers" | "io" | "over";

/** Takes the turns of a loop in slices. */
export class Slice {
  /** The length of a slice in which each wait finds events, in milliseconds. */
  readonly busy: number;
  /** When the slice began, by `now()`. */
  start = 0;
  readonly #loop: SharedLoop;
  readonly #clock: SliceClock;
  readonly #watch: DenoWatch;
  readonly #interval: number;
  /** Batch size of one turn. */
  #batch = FEWEST_EVENTS;
  /** Returns whether the slice goes on. */
  #goesOn = always;

  /** @param interval Milliseconds between two turns of Deno's loop, at most */
  constructor(
    loop: SharedLoop,
    clock: SliceClock,
    watch: DenoWatch,
    interval: number,
  ) {
    this.#loop = loop;
    this.#clock = clock;
    this.#watch = watch;
    this.#interval = interval;
    this.busy = SLICE * interval;
  }

  /**
   * Begins a slice, and takes its turns.
   *
   * @param calm Its length with a pause, in milliseconds
   * @param pause The mean pause between events, in milliseconds
   * @param goesOn Called before each turn; false ends the slice. Default: it goes on
   */
  begin(calm: number, pause: number, goesOn: () => boolean = always): Stop {
    this.start = now();
    this.#goesOn = goesOn;
    const lead = pause * FEW > calm ? pause * LEAD : 0;
    this.#clock.start(this.start, this.busy, calm, lead);
    return this.#takeTurns();
  }

  /** Goes on after Deno's turn. */
  goOn(): Stop {
    const over = this.#loop.ending() || this.#clock.passed();
    return over ? "over" : this.#takeTurns();
  }

  /** Fits the next batches into a turn, assuming callbacks as long as the last ones. */
  adaptBatch(events: number, milliseconds: number): void {
    const most = TURN * this.#interval * events / milliseconds;
    this.#batch = Math.min(Math.max(most, FEWEST_EVENTS), MOST_EVENTS) | 0;
  }

  /**
   * Takes turns until Deno is to have one. Promises that callbacks resolved continue
   * between them, or else after each.
   */
  #takeTurns(): Stop {
    const drains = drainsMicrotasks();
    let stop: Stop | null;
    do stop = this.#takeTurn(); while (stop === null && drains);
    return stop ?? "timers";
  }

  #takeTurn(): Stop | null {
    const loop = this.#loop;
    const watch = this.#watch;
    const clock = this.#clock;
    if (!this.#goesOn()) return "over";
    watch.ready = false;
    // `process.nextTick` and `setImmediate` run before a wait that may sleep.
    const calls = callsDue();
    const ready = loop.turn(calls ? 0 : clock.timeout(), this.#batch);
    if (loop.ending()) return "over";
    drainMicrotasks();
    if (loop.ending()) return "over";
    if (calls && ready === 0) return "timers";
    if (calls ? clock.passed() : clock.over(ready)) return "over";
    if (!watch.ready) return null;
    if (ready === 1) return "io";
    return now() >= this.start + this.busy ? "over" : null;
  }
}

function always(): boolean {
  return true;
}
