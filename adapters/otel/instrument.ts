/**
 * Observes `reactor.stats()` whenever metrics are collected, and the lag of the loop by a
 * timer.
 *
 * Sources: the OpenTelemetry specification, "Metrics API"; its semantic conventions,
 * "Naming" and "Metrics", for names and units (seconds, bytes, `{thing}`). They have no
 * names for an event loop other than Node's own.
 *
 * @module
 */

import {
  type Attributes,
  type BatchObservableResult,
  metrics,
} from "@opentelemetry/api";
import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import type { Reactor, ReactorStatistics } from "../../reactor/mod.ts";
import { createInstruments, type Instruments } from "./instruments.ts";

/** Options of `instrument()`. */
export interface InstrumentOptions {
  /** Attributes of all metrics, as to distinguish the reactors of a process. Default: none. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  /** Milliseconds between two samples of the loop's lag. Default: 100. */
  readonly lagInterval?: number;
}

const INSTRUMENT_OPTIONS: OptionNames<InstrumentOptions> = {
  attributes: true,
  lagInterval: true,
};

/**
 * Records the metrics of a reactor, until the result is disposed or the reactor closed.
 * The meter is "@pollux/reactor" of the `MeterProvider` that is registered with the API.
 * `docs/observability.md` lists the metrics. They are collected by Deno's loop, so not
 * during `run()`. The timer of the lag keeps neither `run()` nor the process alive.
 *
 * @throws {TypeError} if an option is unknown
 * @throws {RangeError} if the interval is not positive
 * @throws {Deno.errors.BadResource} if the reactor is closed
 *
 * @example
 * ```ts
 * import { instrument } from "@pollux/reactor/otel";
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * await using reactor = new Reactor();
 * using _metrics = instrument(reactor, { attributes: { "reactor.name": "web" } });
 * await reactor.serve({ signal: AbortSignal.timeout(20) });
 * ```
 */
export function instrument(
  reactor: Reactor,
  options: InstrumentOptions = {},
): Disposable {
  checkOptions(options, INSTRUMENT_OPTIONS);
  const { attributes = {}, lagInterval = 100 } = options;
  const meter = metrics.getMeter("@pollux/reactor");
  const instruments = createInstruments(meter);
  const lag = sampleLag(reactor, lagInterval, (seconds) => {
    instruments.lag.record(seconds, attributes);
  });
  const observe = observer(reactor, instruments, attributes);
  const observed = Object.values(instruments.observed);
  meter.addBatchObservableCallback(observe, observed);
  return {
    [Symbol.dispose](): void {
      lag[Symbol.dispose]();
      meter.removeBatchObservableCallback(observe, observed);
    },
  };
}

/** Measures how late a timer is called: the time that something else held the loop. */
function sampleLag(
  reactor: Reactor,
  interval: number,
  record: (seconds: number) => void,
): Disposable {
  const timer = reactor.callEvery(interval, () => {
    const seconds = (performance.now() - expected) / 1000;
    expected = timer.deadline;
    record(Math.max(seconds, 0));
  }).unref();
  let expected = timer.deadline;
  return timer;
}

/** Returns the callback of a collection. */
function observer(
  reactor: Reactor,
  { observed }: Instruments,
  attributes: Attributes,
): (result: BatchObservableResult) => void {
  let before = reactor.stats();
  let callbackTime = before.callbackTime;
  return (result) => {
    if (reactor.closed) return;
    const stats = reactor.stats();
    const turns = stats.turns - before.turns;
    const events = stats.events - before.events;
    callbackTime += timeSince(before, stats);
    before = stats;
    const values: Readonly<Record<keyof typeof observed, number>> = {
      turns: stats.turns,
      events: stats.events,
      eventsPerTurn: turns === 0 ? 0 : events / turns,
      callbackTime: callbackTime / 1000,
      longestCallback: stats.longestCallback / 1000,
      timers: stats.timers,
      registered: stats.registered,
      connections: reactor.connections,
      queued: stats.bytesQueued,
      backOffs: stats.acceptBackOffs,
    };
    for (const key of Object.keys(values) as (keyof typeof values)[]) {
      result.observe(observed[key], values[key], attributes);
    }
  };
}

/**
 * The time in callbacks between two readings. `diagnose()` begins it anew, while a counter
 * never falls.
 */
function timeSince(
  before: ReactorStatistics,
  { callbackTime }: ReactorStatistics,
): number {
  const begun = callbackTime < before.callbackTime;
  return begun ? callbackTime : callbackTime - before.callbackTime;
}
