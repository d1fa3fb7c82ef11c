/**
 * The instruments: the name, the kind and the unit of each metric.
 *
 * @module
 */

import type { Histogram, Meter, Observable } from "@opentelemetry/api";

/** Bounds of the lag's buckets, in seconds: from a slice of the loop to an outage. */
const LAG_BOUNDS = [
  0.0001,
  0.00025,
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
];

/** The instruments of one reactor. */
export interface Instruments {
  readonly lag: Histogram;
  /** Those that are observed at a collection. */
  readonly observed: Readonly<Record<keyof typeof OBSERVED, Observable>>;
}

/** The metrics that are observed: the kind, the name, the unit and the description. */
const OBSERVED = {
  turns: [
    "ObservableCounter",
    "pollux.loop.turns",
    "{turn}",
    "Turns of the loop: waits for events, and the callbacks after them",
  ],
  events: [
    "ObservableCounter",
    "pollux.loop.events",
    "{event}",
    "Events of ready descriptors",
  ],
  eventsPerTurn: [
    "ObservableGauge",
    "pollux.loop.events_per_turn",
    "{event}",
    "Mean of the events a turn since the last collection",
  ],
  callbackTime: [
    "ObservableCounter",
    "pollux.loop.callback.time",
    "s",
    "Time in callbacks; counted after diagnose()",
  ],
  longestCallback: [
    "ObservableGauge",
    "pollux.loop.callback.longest",
    "s",
    "The longest callback so far; measured after diagnose()",
  ],
  timers: [
    "ObservableUpDownCounter",
    "pollux.timer.count",
    "{timer}",
    "Active timers",
  ],
  registered: [
    "ObservableUpDownCounter",
    "pollux.descriptor.count",
    "{descriptor}",
    "Registered descriptors",
  ],
  connections: [
    "ObservableUpDownCounter",
    "pollux.connection.count",
    "{connection}",
    "Connections that are open or connecting",
  ],
  queued: [
    "ObservableUpDownCounter",
    "pollux.queue.size",
    "By",
    "Bytes that connections and datagram sockets have queued to send",
  ],
  backOffs: [
    "ObservableCounter",
    "pollux.accept.backoffs",
    "{backoff}",
    "Suspensions of accepting, because no descriptor was free",
  ],
} as const;

/** Creates the instruments. */
export function createInstruments(meter: Meter): Instruments {
  const lag = meter.createHistogram("pollux.loop.lag", {
    unit: "s",
    description: "How late the loop calls a timer",
    advice: { explicitBucketBoundaries: LAG_BOUNDS },
  });
  const observed = Object.fromEntries(
    Object.entries(OBSERVED).map(([key, [kind, name, unit, description]]) => [
      key,
      meter[`create${kind}`](name, { unit, description }),
    ]),
  );
  return { lag, observed: observed as Instruments["observed"] };
}
