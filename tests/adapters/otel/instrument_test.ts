/**
 * Metrics of a reactor: as a meter gets them, and as Deno's exporter sends them to a
 * collector.
 */

import { fileURLToPath } from "node:url";
import {
  type BatchObservableCallback,
  type Meter,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertThrows,
} from "@std/assert";
import { instrument } from "../../../adapters/otel/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { denoProgram, eventually, test } from "../../util.ts";

/** The part of a meter that `instrument()` uses, which keeps the last values. */
class FakeMeter {
  readonly values = new Map<string, number>();
  readonly lags: number[] = [];
  readonly callbacks = new Set<BatchObservableCallback>();

  createHistogram = (name: string): { record(value: number): void } => {
    assertEquals(name, "pollux.loop.lag");
    return { record: (value) => void this.lags.push(value) };
  };
  createObservableCounter = (name: string): { name: string } => ({ name });
  createObservableGauge = (name: string): { name: string } => ({ name });
  createObservableUpDownCounter = (name: string): { name: string } => ({
    name,
  });

  addBatchObservableCallback(callback: BatchObservableCallback): void {
    this.callbacks.add(callback);
  }

  removeBatchObservableCallback(callback: BatchObservableCallback): void {
    this.callbacks.delete(callback);
  }

  /** Collects, as an exporter does. */
  collect(): Record<string, number> {
    this.values.clear();
    const observe = (metric: Observable, value: number): void => {
      this.values.set((metric as unknown as { name: string }).name, value);
    };
    for (const callback of this.callbacks) {
      callback({ observe } as Parameters<BatchObservableCallback>[0]);
    }
    return Object.fromEntries(this.values);
  }
}

/** Registers a provider of a meter, in place of an exporter's. */
function fakeMeter(): FakeMeter {
  const fake = new FakeMeter();
  metrics.disable();
  metrics.setGlobalMeterProvider({
    getMeter: (name) => {
      assertEquals(name, "@pollux/reactor");
      return fake as unknown as Meter;
    },
  });
  return fake;
}

test("instrument(): a collection has the values of stats()", () => {
  using reactor = new Reactor();
  const fake = fakeMeter();
  using _metrics = instrument(reactor);
  const acceptor = reactor.listen(
    { hostname: "127.0.0.1", port: 0 },
    () => reactor.stop(),
  );
  reactor.connect(acceptor.address).write("x");
  reactor.run();
  const stats = reactor.stats();
  assertEquals(fake.collect(), {
    "pollux.loop.turns": stats.turns,
    "pollux.loop.events": stats.events,
    "pollux.loop.events_per_turn": stats.events / stats.turns,
    "pollux.loop.callback.time": 0,
    "pollux.loop.callback.longest": 0,
    "pollux.timer.count": 1,
    "pollux.descriptor.count": stats.registered,
    "pollux.connection.count": 2,
    "pollux.queue.size": 0,
    "pollux.accept.backoffs": 0,
  });
  assertGreater(stats.events, 1);
});

test("instrument(): events a turn are those since the last collection", () => {
  using reactor = new Reactor();
  const fake = fakeMeter();
  using _metrics = instrument(reactor);
  reactor.runOnce();
  fake.collect();
  reactor.runOnce();
  assertEquals(fake.collect()["pollux.loop.events_per_turn"], 0);
  assertEquals(fake.collect()["pollux.loop.events_per_turn"], 0);
});

test("instrument(): a callback that blocks is a lag of the loop", () => {
  using reactor = new Reactor();
  const fake = fakeMeter();
  using _metrics = instrument(reactor, { lagInterval: 5 });
  const begin = performance.now();
  reactor.callSoon(() => {
    while (performance.now() < begin + 50);
  });
  reactor.callLater(100, () => {});
  reactor.run();
  assertGreaterOrEqual(Math.max(...fake.lags), 0.04);
  assert(fake.lags.every((lag) => lag >= 0));
});

test("instrument(): the time in callbacks does not fall when diagnosis ends or begins anew", async () => {
  using reactor = new Reactor();
  const fake = fakeMeter();
  using _metrics = instrument(reactor);
  const slowTurn = (): void => {
    reactor.callSoon(() => {
      const end = performance.now() + 5;
      while (performance.now() < end);
    });
    reactor.runOnce();
  };
  const times: number[] = [];
  const collect = (): void => {
    times.push(fake.collect()["pollux.loop.callback.time"]!);
  };
  for (const options of [{}, {}, false] as const) {
    await reactor.diagnose(options);
    collect();
    slowTurn();
    collect();
  }
  assertEquals(times, times.toSorted((a, b) => a - b));
  assertGreaterOrEqual(times.at(-1)!, 0.009);
});

test("instrument(): neither the timer nor a collection keeps run() alive", () => {
  using reactor = new Reactor();
  fakeMeter();
  using _metrics = instrument(reactor, { lagInterval: 1 });
  reactor.run();
});

test("instrument(): dispose ends the timer and the collections", () => {
  using reactor = new Reactor();
  const fake = fakeMeter();
  instrument(reactor)[Symbol.dispose]();
  assertEquals(reactor.stats().timers, 0);
  assertEquals(fake.collect(), {});
});

test("instrument(): a closed reactor has no values", () => {
  const reactor = new Reactor();
  const fake = fakeMeter();
  using _metrics = instrument(reactor);
  reactor.close();
  assertEquals(fake.collect(), {});
});

test("instrument(): an unknown option and an interval of 0 are refused", () => {
  using reactor = new Reactor();
  assertThrows(
    () => instrument(reactor, { lagIntervall: 1 } as never),
    TypeError,
    'did you mean "lagInterval"?',
  );
  assertThrows(() => instrument(reactor, { lagInterval: 0 }), RangeError);
});

/** A server with two connections, a queue, a timer, and a callback that blocks. */
const PROGRAM = `
import { Reactor, socketPair } from "ROOT/mod.ts";
import { instrument } from "ROOT/adapters/otel/mod.ts";
const reactor = new Reactor();
await reactor.diagnose();
instrument(reactor, { lagInterval: 5, attributes: { "reactor.name": "web" } });
reactor.serve();
const [left, right] = socketPair().map((end) => reactor.adopt(end));
let received = 0;
right.onData = ({ length }) => {
  received += length;
  if (received < 10) return left.write("x");
  left.write(new Uint8Array(20_000_000)); // more than TCP has room for
  right.pause();
  const end = performance.now() + 50;
  while (performance.now() < end);
  reactor.callLater(60_000, () => {});
  setTimeout(() => console.log(JSON.stringify(reactor.stats())), 100);
};
left.write("x");
`;

interface Point {
  readonly asInt?: number;
  readonly asDouble?: number;
  readonly max?: number;
  readonly count?: string;
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { readonly stringValue: string };
  }[];
}

/** A metric of OTLP, as JSON. */
interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly [kind: string]: unknown;
}

/** The metrics of the reactor in a request to a collector. */
function metricsOf(body: string): Map<string, { unit: string; point: Point }> {
  const { resourceMetrics } = JSON.parse(body) as {
    resourceMetrics: {
      scopeMetrics: { scope: { name: string }; metrics: Metric[] }[];
    }[];
  };
  const found = resourceMetrics
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .filter(({ scope }) => scope.name === "@pollux/reactor")
    .flatMap(({ metrics }) => metrics);
  return new Map(found.map((metric) => {
    const { name, unit } = metric;
    const data = metric.sum ?? metric.gauge ?? metric.histogram;
    const { dataPoints } = data as { dataPoints: Point[] };
    return [name, { unit, point: dataPoints[0]! }];
  }));
}

/** A collector of OpenTelemetry, which keeps the bodies of requests. */
async function withCollector(
  run: (endpoint: string, bodies: readonly string[]) => Promise<void>,
): Promise<void> {
  const bodies: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      assertEquals(new URL(request.url).pathname, "/v1/metrics");
      bodies.push(await request.text());
      return Response.json({});
    },
  );
  await run(`http://127.0.0.1:${server.addr.port}`, bodies);
}

Deno.test("instrument(): Deno's exporter sends a collector the values of stats()", async () => {
  const root = new URL("../../../", import.meta.url);
  const file = await Deno.makeTempFile({ suffix: ".js" });
  await Deno.writeTextFile(file, PROGRAM.replaceAll("ROOT/", root.href));
  await withCollector(async (endpoint, bodies) => {
    const child = new Deno.Command(denoProgram(), {
      args: [
        "run",
        "-A",
        "--no-lock",
        `--config=${fileURLToPath(new URL("deno.json", root))}`,
        file,
      ],
      env: {
        OTEL_DENO: "true",
        OTEL_DENO_CONSOLE: "ignore",
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_METRIC_EXPORT_INTERVAL: "200",
      },
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      const lines = child.stdout.pipeThrough(new TextDecoderStream());
      let printed = "";
      for await (const text of lines) {
        printed += text;
        if (printed.endsWith("\n")) break;
      }
      const stats = JSON.parse(printed);
      const seen = bodies.length;
      // A collection that was under way may have come before the values.
      await eventually(() => bodies.length > seen + 1, "a collection");
      const metrics = metricsOf(bodies.at(-1)!);
      const value = (name: string): number => {
        const { asInt, asDouble } = metrics.get(name)!.point;
        return Number(asInt ?? asDouble);
      };
      assertEquals(value("pollux.loop.events"), stats.events);
      assertEquals(value("pollux.descriptor.count"), stats.registered);
      assertEquals(value("pollux.queue.size"), stats.bytesQueued);
      assertGreater(stats.bytesQueued, 0);
      assertEquals(value("pollux.timer.count"), 2);
      assertEquals(value("pollux.connection.count"), 2);
      assertEquals(value("pollux.accept.backoffs"), 0);
      assertGreaterOrEqual(value("pollux.loop.turns"), stats.turns);
      assertGreaterOrEqual(value("pollux.loop.callback.time"), 0.05);
      assertEquals(
        value("pollux.loop.callback.longest"),
        stats.longestCallback / 1000,
      );
      const lag = metrics.get("pollux.loop.lag")!;
      assertEquals(lag.unit, "s");
      assertGreaterOrEqual(lag.point.max!, 0.04);
      assertEquals(lag.point.attributes.map(({ key, value }) => [key, value]), [
        ["reactor.name", { stringValue: "web" }],
      ]);
    } finally {
      child.kill("SIGTERM");
      await child.status;
    }
  });
  await Deno.remove(file);
});
