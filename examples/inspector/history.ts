/**
 * The last minutes of a reactor: a sample each second, and the faults that were found.
 *
 * @module
 */

import type { Diagnosis, Reactor } from "../../reactor/mod.ts";

/** Milliseconds between two samples. */
const PERIOD = 1000;

/** Measurements of the lag in a period: the sample has the largest. */
const LAGS = 10;

/** Samples that are kept: five minutes. */
const KEPT_SAMPLES = 300;

/** Faults that are kept, the latest ones. */
const KEPT_FAULTS = 50;

/** Callbacks that take longer are reported, in milliseconds. */
const STALL = 50;

/** One second of a reactor. Times are in milliseconds. */
export interface Sample {
  /** The end of the second, since 1970. */
  readonly time: number;
  /** How late a timer was called, at most. */
  readonly lag: number;
  /** Events that were dispatched. */
  readonly events: number;
  readonly connections: number;
  readonly registered: number;
  readonly timers: number;
  readonly bytesQueued: number;
}

/** A spin or a stall, and when it was reported. */
export type Fault = Diagnosis & { readonly time: number };

/** Observes a reactor until that is closed. */
export class History {
  readonly samples: Sample[] = [];
  readonly faults: Fault[] = [];
  /** Called with each new sample. */
  onSample: ((sample: Sample) => void) | null = null;
  /** Called with each new fault. */
  onFault: ((fault: Fault) => void) | null = null;
  readonly #reactor: Reactor;
  #expected = performance.now();
  #lag = 0;
  #lags = 0;
  #sampled = performance.now();
  #events: number;

  private constructor(reactor: Reactor) {
    this.#reactor = reactor;
    this.#events = reactor.stats().events;
    this.#measureLater();
  }

  /** Switches the diagnosis of the reactor on. */
  static async begin(reactor: Reactor): Promise<History> {
    const history = new History(reactor);
    await reactor.diagnose({
      stallThreshold: STALL,
      stacks: mayProfile(),
      onDiagnosis: (diagnosis) => history.#addFault(diagnosis),
    });
    return history;
  }

  #measureLater(): void {
    const pause = PERIOD / LAGS;
    this.#expected = performance.now() + pause;
    const measureLag = (): void => this.#measure();
    this.#reactor.callLater(pause, measureLag).unref();
  }

  #measure(): void {
    this.#lag = Math.max(this.#lag, performance.now() - this.#expected);
    if (++this.#lags === LAGS) this.#sample();
    this.#measureLater();
  }

  #sample(): void {
    const now = performance.now();
    const { events, ...stats } = this.#reactor.stats();
    const seconds = (now - this.#sampled) / 1000;
    const sample = {
      time: Date.now(),
      lag: this.#lag,
      events: (events - this.#events) / seconds,
      connections: this.#reactor.connections,
      registered: stats.registered,
      timers: stats.timers,
      bytesQueued: stats.bytesQueued,
    };
    this.#events = events;
    this.#sampled = now;
    this.#lag = this.#lags = 0;
    push(this.samples, sample, KEPT_SAMPLES);
    this.onSample?.(sample);
  }

  #addFault(diagnosis: Diagnosis): void {
    const fault = { ...diagnosis, time: Date.now() };
    push(this.faults, fault, KEPT_FAULTS);
    this.onFault?.(fault);
  }
}

/** Whether V8's profiler is permitted, which no narrower `--allow-sys` does. */
function mayProfile(): boolean {
  return Deno.permissions.querySync({ name: "sys" }).state === "granted";
}

/** Appends an item; drops the first one if there are too many. */
function push<Item>(items: Item[], item: Item, most: number): void {
  items.push(item);
  if (items.length > most) items.shift();
}
