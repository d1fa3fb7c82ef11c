/**
 * Random schedules of all operations of two connected sides, checked against a model of
 * their callbacks. `POLLUX_SEED` repeats a failure.
 */

import { assert, assertEquals } from "@std/assert";
import type { InternetAddress } from "../../backends/ffi/mod.ts";
import type { Acceptor, Connection } from "../../reactor/mod.ts";
import { type Random, withSeed } from "../util.ts";
import { isPattern, onEachBackend, patternOf, type Stage } from "./stage.ts";

const STEPS = 1200;
/** How many pairs are open at a time. */
const COUPLES = 6;
const LARGEST_WRITE = 150_000;
/** Period of the pattern, in bytes. */
const PERIOD = 251;
const BYTES = patternOf(PERIOD + LARGEST_WRITE);

/** One side of a pair: its operations, and the callbacks that it received. */
class Side {
  written = 0;
  received = 0;
  ends = 0;
  closes = 0;
  corked = false;
  ended = false;
  /** Whether `close()` or `abort()` was called. */
  left = false;
  owesDrain = false;

  constructor(readonly connection: Connection) {
    this.listen();
    connection.onEnd = () => {
      this.ends++;
    };
    connection.onDrain = () => {
      assertEquals(this.closes, 0, "a drain after the close");
      assert(this.owesDrain, "a drain too many");
      this.owesDrain = false;
    };
    connection.onClose = () => {
      this.closes++;
    };
  }

  listen(): void {
    this.connection.onData = (chunk) => {
      assert(isPattern(chunk, this.received % PERIOD), "bytes out of order");
      assertEquals([this.ends, this.closes], [0, 0], "bytes after the end");
      this.received += chunk.length;
    };
  }

  /** Stops reading. A side that has ended would discard its input instead. */
  ignore(): void {
    if (!this.ended) this.connection.onData = null;
  }

  /** Whether all bytes are sent, and a pending onDrain was called. */
  get quiet(): boolean {
    const { connection } = this;
    const drained = connection.bufferedAmount === 0 && !this.owesDrain;
    return drained || this.ended || connection.closed;
  }

  write(length: number, pieces: number): void {
    const { connection } = this;
    const refused = this.ended || this.left || connection.closed;
    const start = this.written % PERIOD;
    const bytes = BYTES.subarray(start, start + length);
    const size = Math.ceil(length / pieces);
    const list = Array.from(
      { length: pieces },
      (_, index) => bytes.subarray(index * size, (index + 1) * size),
    );
    const below = connection.write(pieces === 1 ? bytes : list);
    if (refused) return assertEquals(below, false);
    if (!below) this.owesDrain = true;
    this.written += length;
  }
}

/** Two connected sides. */
class Couple {
  readonly sides: readonly [client: Side, server: Side];

  constructor(client: Connection, server: Connection) {
    this.sides = [new Side(client), new Side(server)];
  }

  get over(): boolean {
    return this.sides.every(({ closes }) => closes > 0);
  }

  /** Checks the model after both sides are closed. */
  check(): void {
    const [client, server] = this.sides;
    assertEquals([client.closes, server.closes], [1, 1]);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      assert(to.received <= from.written);
      assert(to.ends <= 1);
    }
    if (client.left || server.left) return;
    for (const [from, to] of [[client, server], [server, client]] as const) {
      assertEquals(to.received, from.written, "bytes are missing");
      assertEquals(to.ends, 1);
      assertEquals(from.connection.error, undefined);
    }
  }
}

/** Operations that are possible in any state. */
const ACTIONS: readonly ((side: Side, random: Random) => void)[] = [
  (side, random) => side.write(1 + random.below(100), 1),
  (side, random) => side.write(1 + random.below(LARGEST_WRITE), 1),
  (side, random) =>
    side.write(1 + random.below(LARGEST_WRITE), 1 + random.below(90)),
  ({ connection }) => connection.pause(),
  ({ connection }) => connection.resume(),
  ({ connection }) => connection.resume(),
  (side) => side.ignore(),
  (side) => side.listen(),
  (side) => side.listen(),
  (side) => {
    if (side.corked) side.connection.uncork();
    else side.connection.cork();
    side.corked = !side.corked;
  },
];

/** Operations that end a side. Some are rarer, so that some pairs live long. */
function end(side: Side, random: Random): void {
  switch (random.below(5)) {
    case 0:
      side.left = true;
      return side.connection.abort();
    case 1:
      side.left = true;
      return side.connection.close();
    default:
      side.listen();
      side.ended = true;
      return side.connection.end();
  }
}

/** All pairs of one schedule. */
class Schedule {
  readonly #stage: Stage;
  readonly #random: Random;
  readonly #acceptor: Acceptor<InternetAddress>;
  #accepted: Connection | null = null;
  #couples: Couple[] = [];
  finished = 0;

  constructor(stage: Stage, random: Random) {
    this.#stage = stage;
    this.#random = random;
    const marks = { highWaterMark: 20_000, lowWaterMark: 5000 };
    this.#acceptor = stage.listen((connection) => {
      this.#accepted = connection;
    }, marks);
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) {
      while (this.#couples.length < COUPLES) this.#begin();
      const { sides } = this.#random.pick(this.#couples);
      const side = this.#random.pick(sides);
      if (this.#random.below(25) === 0) end(side, this.#random);
      else this.#random.pick(ACTIONS)(side, this.#random);
      if (this.#random.below(3) === 0) this.#stage.reactor.runOnce();
      this.#sweep();
    }
    this.#endAll();
  }

  /** Connects two sides of the same reactor. */
  #begin(): void {
    const client = this.#stage.reactor.connect(this.#acceptor.address);
    this.#accepted = null;
    this.#stage.until(() => {
      return this.#accepted !== null && !client.connecting;
    }, "a connection");
    this.#couples.push(new Couple(client, this.#accepted!));
  }

  #sweep(): void {
    this.#couples = this.#couples.filter((couple) => {
      if (!couple.over) return true;
      couple.check();
      this.finished++;
      return false;
    });
  }

  /** Lets all sides send their queues, and then end. */
  #endAll(): void {
    const sides = this.#couples.flatMap(({ sides }) => sides);
    for (const side of sides) {
      side.listen();
      side.connection.resume();
      side.connection.uncork();
    }
    this.#stage.until(() => sides.every(({ quiet }) => quiet), "silence");
    for (const side of sides) {
      side.connection.end();
      side.ended = true;
    }
    this.#stage.until(() => {
      // A closed side does not read: its peer has to notice.
      this.#sweep();
      return this.#couples.length === 0;
    }, "all ends");
    this.#acceptor.close();
  }
}

onEachBackend(
  "Connection: random writes, pauses, half-closes and resets agree with a model",
  (stage) => {
    withSeed((random) => {
      const schedule = new Schedule(stage, random);
      schedule.run();
      stage.turns(1);
      assert(schedule.finished >= COUPLES);
      const { registered, timers, bytesQueued } = stage.reactor.stats();
      assertEquals([registered, timers, bytesQueued], [0, 0, 0]);
    })();
  },
);
