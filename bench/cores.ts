/**
 * Measures examples/many_cores.ts with one thread and with two: requests a second, and how
 * many cores the server has used.
 *
 *     deno task bench:cores [--rounds N] [--slice SECONDS] [--markdown]
 *
 * The load is `wrk`, with 50 connections that are kept alive. It is another process on the
 * same cores, so with two cores a second thread cannot double the rate. One thread is
 * measured twice, as a control. `deno serve` is Deno's own server with threads.
 *
 * @module
 */

import { parseArguments, requirePrograms } from "./arguments.ts";
import { circumstances } from "./circumstances.ts";
import { contest, type Entry } from "./contest.ts";
import { program } from "./peers/peer.ts";
import { print } from "./table.ts";
import { runWrk, wrkVersion } from "./wrk.ts";

const CONNECTIONS = 50;

function manyCores(name: string, threads: number): Entry {
  const file = program("../../examples/many_cores.ts");
  const options = ["run", "-A", file, "--workers", `${threads}`];
  return { name, command: (port) => [...options, "--port", `${port}`] };
}

function denoServe(name: string, threads: number): Entry {
  const file = program("../cores/serve.ts");
  const options = ["serve", "--quiet", "--parallel", "--host", "127.0.0.1"];
  return {
    name,
    command: (port) => [...options, "--port", `${port}`, file],
    env: { DENO_JOBS: `${threads}` },
  };
}

if (import.meta.main) {
  const { rounds, slice, markdown } = parseArguments();
  await requirePrograms("wrk");
  const where = circumstances({
    versions: [await wrkVersion()],
    rounds,
    slice: slice * 1000,
  });
  const results = await contest([
    manyCores("many_cores, 1 thread", 1),
    manyCores("many_cores, 1 thread, again", 1),
    manyCores("many_cores, 2 threads", 2),
    denoServe("deno serve, 1 thread", 1),
    denoServe("deno serve, 2 threads", 2),
  ], {
    rounds,
    slice,
    isPinned: false,
    run: (port, seconds) => runWrk(port, CONNECTIONS, seconds),
  });
  print({
    title: `HTTP on one and on two threads, ${CONNECTIONS} connections`,
    circumstances: where,
    headings: [
      "server",
      "requests/s",
      "requests/s, × 1 thread",
      "cores used",
      "CPU µs/request",
    ],
    rows: results.map((
      { name, rate, rateRatio, cores, cpu },
    ) => [name, rate, rateRatio, cores, cpu]),
    notes: [],
  }, markdown);
}
