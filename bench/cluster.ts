/**
 * Measures how long a line of the chat takes from one process to another, by a broker:
 * idle, and with a saturated process.
 *
 *     deno task bench:cluster [--rounds N] [--markdown]
 *
 * The guests are terminals. A line is sent when the one before has arrived, after a pause.
 * The first row has no broker: its latency is that of the measurement and of one process.
 * Two processes are measured twice, as a control: the difference is the noise.
 *
 * @module
 */

import { parseArguments, requirePrograms } from "./arguments.ts";
import { circumstances } from "./circumstances.ts";
import {
  Broker,
  ChatProcess,
  type Child,
  startLoad,
} from "./cluster/programs.ts";
import { Terminal } from "./cluster/terminal.ts";
import { Latencies } from "./load/latencies.ts";
import { firstLine } from "./peers/peer.ts";
import { cpuSeconds } from "./proc.ts";
import { median, spread } from "./statistics.ts";
import { print } from "./table.ts";

/** Lines of a slice. */
const LINES = 200;

/** The pause before a line, in milliseconds. */
const PAUSE = 2;

/** Lines before the first slice of a row. */
const WARM_UP = 500;

/** Two processes, their guests, and their broker. */
interface Room {
  readonly from: ChatProcess;
  readonly guests: readonly [Terminal, Terminal];
  readonly processes: readonly Child[];
}

/** A row: two guests, and the programs that are with them. */
class Path {
  readonly name: string;
  readonly latencies: Latencies = new Latencies();
  /** The medians of the slices, in microseconds. */
  readonly medians: number[] = [];
  /** Microseconds of the processes' CPU for a line, the broker's included. */
  readonly costs: number[] = [];
  readonly #from: Terminal;
  readonly #to: Terminal;
  readonly #measured: readonly Child[];
  readonly #load: Child | null;

  constructor(
    name: string,
    [from, to]: readonly [Terminal, Terminal],
    measured: readonly Child[],
    load: Child | null = null,
  ) {
    this.name = name;
    this.#from = from;
    this.#to = to;
    this.#measured = measured;
    this.#load = load;
  }

  /** Sends lines, one after the other. */
  async slice(lines: number = LINES): Promise<void> {
    this.#load?.continue();
    const cpu = this.#cpu();
    const latencies = new Latencies();
    for (let line = 0; line < lines; line++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      latencies.add(await this.#from.send(this.#to));
    }
    this.costs.push((this.#cpu() - cpu) / lines * 1e6);
    this.#load?.stop();
    this.medians.push(latencies.percentiles()!.p50);
    this.latencies.addAll(latencies);
  }

  /** Removes all slices. */
  clear(): void {
    this.latencies.clear();
    this.medians.length = this.costs.length = 0;
  }

  row(unit: Path): string[] {
    const { p50, p99 } = this.latencies.percentiles()!;
    const ratios = (of: (path: Path) => number[]): string =>
      spread(of(this).map((value, i) => value / of(unit)[i]!));
    // The load costs CPU time, too.
    const isAlone = this.#load === null;
    return [
      this.name,
      (p50 / 1000).toFixed(2),
      (p99 / 1000).toFixed(1),
      ratios(({ medians }) => medians),
      isAlone ? median(this.costs).toFixed(0) : "",
      isAlone ? ratios(({ costs }) => costs) : "",
    ];
  }

  #cpu(): number {
    return this.#measured.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  }
}

/** Starts all programs, and the guests between which lines are sent. */
async function open(scope: AsyncDisposableStack): Promise<Path[]> {
  const start = async (...args: string[]): Promise<ChatProcess> =>
    scope.use(await ChatProcess.start(...args));
  const enter = async (process: ChatProcess): Promise<Terminal> =>
    scope.use(await Terminal.enter(process.port));
  /** Two processes of a room of their own. */
  const room = async (sockets: string): Promise<Room> => {
    const broker = scope.use(await Broker.start());
    const from = await start(broker.address, sockets);
    const to = await start(broker.address, sockets);
    const guests = [await enter(from), await enter(to)] as const;
    return { from, guests, processes: [from, to, broker] };
  };
  const alone = await start();
  const own = [await enter(alone), await enter(alone)] as const;
  const { from, guests, processes } = await room("reactor");
  const onDeno = await room("deno");
  const first = scope.use(await startLoad(from.echo));
  const third = scope.use(await startLoad(alone.echo));
  return [
    new Path("one process, no broker", own, [alone]),
    new Path("two processes", guests, processes),
    new Path("two processes, again", guests, processes),
    new Path(
      "the same, NATS on Deno's sockets",
      onDeno.guests,
      onDeno.processes,
    ),
    new Path("the first one saturated", guests, processes, first),
    new Path("a third one saturated", guests, processes, third),
  ];
}

async function measure(rounds: number): Promise<string[][]> {
  await using scope = new AsyncDisposableStack();
  const paths = await open(scope);
  for (const path of paths) {
    await path.slice(WARM_UP);
    path.clear();
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < paths.length; i++) {
      await paths[(round + i) % paths.length]!.slice();
    }
  }
  return paths.map((path) => path.row(paths[1]!));
}

if (import.meta.main) {
  const { rounds, markdown } = parseArguments();
  await requirePrograms("nats-server");
  const where = circumstances({
    versions: [await firstLine("nats-server", "--version")],
    rounds,
  });
  print({
    title:
      `A line from one process of the chat to another, ${LINES} in a round`,
    circumstances: where,
    headings: [
      "processes",
      "p50 ms",
      "p99 ms",
      "p50, × two",
      "CPU µs/line",
      "CPU, × two",
    ],
    rows: await measure(rounds),
    notes: [],
  }, markdown);
}
