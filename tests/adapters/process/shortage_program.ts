/**
 * Starts children with 0, 1, 2 and more free descriptors. It prints the error code of
 * each, or "ok", and the number of descriptors that were left open.
 */

import { spawn } from "../../../adapters/process/mod.ts";
import { dup } from "../../../backends/ffi/descriptor.ts";
import { close, openLibrary } from "../../../backends/ffi/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";

const MOST_FREE = 14;

function count(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

function tryToStart(reactor: Reactor): string {
  try {
    const child = spawn(reactor, "true", {
      terminal: { rows: 24, columns: 80 },
      cwd: "/",
      stdout: "pipe",
      stderr: "pipe",
    });
    for (const stream of [child.terminal, child.stdout, child.stderr]) {
      stream.onData = (): void => {};
    }
    return "ok";
  } catch (error) {
    return (error as { code?: string }).code ?? `${error}`;
  }
}

/** Starts a child with so many free descriptors. */
function startWith(free: number, reactor: Reactor): string {
  const taken: number[] = [];
  try {
    for (;;) taken.push(dup(1));
  } catch {
    for (let index = 0; index < free; index++) close(taken.pop()!);
  }
  const result = tryToStart(reactor);
  for (const fd of taken) close(fd);
  reactor.run();
  return result;
}

openLibrary();
using reactor = new Reactor();
startWith(MOST_FREE, reactor);
const before = count();
const results = Array.from(
  { length: MOST_FREE },
  (_, free) => startWith(free, reactor),
);
console.log(JSON.stringify({ results, left: count() - before }));
