/**
 * What the tests share: descriptors that are counted, sockets that are filled
 * and drained, events that are waited for, and chance that can be repeated.
 */

import { assert, assertEquals, fail } from "@std/assert";
import { isOpen } from "../backends/ffi/descriptor.ts";
import { openLibrary } from "../backends/ffi/libc.ts";
import { takeDenoDescriptors } from "../reactor/sharing/deno_descriptors.ts";
import {
  type FileObject,
  read,
  type Socket,
  socketPair,
  WOULD_BLOCK,
  write,
} from "../backends/ffi/mod.ts";
import type { Selector, SelectorKey } from "../backends/mod.ts";

/** How long a test waits for what has to come. */
export const PATIENCE = 5000;

/** How long a test waits for what must not come. */
const QUIET = 20;

/** Without /proc, how many numbers are asked one by one. */
const PROBED_FDS = 4096;

/** The open descriptors of this process, each with what it leads to. */
export function openFds(): Map<number, string> {
  try {
    return new Map(
      [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) =>
        describeFd(Number(name))
      ),
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const numbers = Array.from({ length: PROBED_FDS }, (_, fd) => fd);
    return new Map(numbers.filter(isOpen).map((fd) => [fd, "open"]));
  }
}

/** The directory that is being read has a descriptor too, which is gone by now. */
function describeFd(fd: number): [number, string][] {
  try {
    return [[fd, Deno.readLinkSync(`/proc/self/fd/${fd}`)]];
  } catch {
    return [];
  }
}

/** The descriptors that are open now and were not `before`, as text. */
function newFds(before: ReadonlyMap<number, string>): string[] {
  return [...openFds()]
    .filter(([fd, target]) => before.get(fd) !== target)
    .map(([fd, target]) => `${fd} (${target})`);
}

/**
 * Fails a test that leaves descriptors open, and names them. Deno's own
 * sanitizers see only what Deno has opened.
 *
 * Some close on another thread (libkqueue's, and those of a `Worker`), so what is
 * open at first is looked at again for a while.
 */
export function withFdCheck(
  body: () => void | Promise<void>,
): () => Promise<void> {
  return async () => {
    const before = openFds();
    await body();
    const end = performance.now() + PATIENCE;
    while (newFds(before).length > 0 && performance.now() < end) {
      await nextTurn();
    }
    assertEquals(newFds(before), [], "descriptors were left open");
  };
}

/**
 * The C library stays open, which Deno would blame on the first test that needs it,
 * and so does what Deno opens for itself.
 */
function openEverything(): void {
  try {
    openLibrary();
    takeDenoDescriptors();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotSupported)) throw error;
  }
}

/** Defines a test that has to close every descriptor that it opens. */
export function test(
  name: string,
  body: () => void | Promise<void>,
  options: Omit<Deno.TestDefinition, "name" | "fn"> = {},
): void {
  openEverything();
  Deno.test({ ...options, name, fn: withFdCheck(body) });
}

/**
 * Whether an emulator runs the tests: its C library lies elsewhere, the machine's
 * compiler is for another processor, and calls that the kernel has may be missing.
 */
export const emulated = Deno.env.get("POLLUX_EMULATED") === "1";

/** Lets Deno's own loop turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** A pair of sockets that a `using` scope closes. */
export interface Pair extends Disposable {
  readonly left: Socket;
  readonly right: Socket;
}

/** Two connected sockets of the Unix domain. */
export function pairOf(
  type: "stream" | "datagram" | "seqpacket" = "stream",
): Pair {
  const [left, right] = socketPair(type);
  return {
    left,
    right,
    [Symbol.dispose](): void {
      left.close();
      right.close();
    },
  };
}

/** The bytes of a text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Writes until nothing fits, and returns how much did. */
export function fillSocket(fileobj: FileObject): number {
  const chunk = new Uint8Array(4096);
  // The rest of a buffer may be too small for a chunk and not for a byte.
  return writeAll(fileobj, chunk) + writeAll(fileobj, chunk.subarray(0, 1));
}

function writeAll(fileobj: FileObject, chunk: Uint8Array<ArrayBuffer>): number {
  let total = 0;
  for (;;) {
    const count = write(fileobj, chunk);
    if (count === WOULD_BLOCK) return total;
    total += count;
  }
}

/** Reads until nothing is there, and returns how much was. */
export function drainSocket(fileobj: FileObject): number {
  const chunk = new Uint8Array(65536);
  let total = 0;
  for (;;) {
    const count = read(fileobj, chunk);
    if (count === WOULD_BLOCK || count === 0) return total;
    total += count;
  }
}

/** Asserts that a call would have to wait. */
export function assertWouldBlock(result: number | null): void {
  assert(
    result === WOULD_BLOCK || result === null,
    `Expected the call to block, but it returned ${result}`,
  );
}

/** What a `select()` returned, by the data of the keys, in their order. */
export function summary<T>(
  entries: [key: SelectorKey<T>, events: number][],
): [data: T, events: number][] {
  return entries
    .map(([{ data }, events]): [T, number] => [data, events])
    .sort(([a], [b]) => String(a) < String(b) ? -1 : 1);
}

/**
 * Waits until the selector reports everything that is expected, in however
 * many waits, and nothing that is not.
 */
export function expectEvents<T>(
  selector: Selector<T>,
  expected: readonly (readonly [data: T, events: number])[],
): void {
  const missing = new Map(expected);
  const end = performance.now() + PATIENCE;
  while (missing.size > 0 && performance.now() < end) {
    for (const [key, events] of selector.select(end - performance.now())) {
      const wanted = expected.find(([data]) => data === key.data)?.[1] ?? 0;
      assertEquals(events & ~wanted, 0, `${key.data} has events ${events}`);
      const left = (missing.get(key.data) ?? 0) & ~events;
      if (left === 0) missing.delete(key.data);
      else missing.set(key.data, left);
    }
  }
  assertEquals([...missing], [], "these events did not come");
}

/** Asserts that the selector has nothing to report. */
export function expectNoEvents<T>(selector: Selector<T>): void {
  assertEquals(summary(selector.select(QUIET)), []);
}

/** Calls until it is true, for what happens on its own time. */
export async function eventually(
  condition: () => boolean,
  what: string,
): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!condition()) {
    if (performance.now() > end) fail(`Waited in vain for ${what}`);
    await nextTurn();
  }
}

/** How long something takes, in milliseconds. */
export function elapsed(body: () => void): number {
  const start = performance.now();
  body();
  return performance.now() - start;
}

/** What was asked for as the seed of all chance, or what the clock says. */
export function chooseSeed(): number {
  const asked = Deno.env.get("POLLUX_SEED");
  return asked === undefined ? Date.now() % 2 ** 32 : Number(asked);
}

/** Chance that is the same whenever its seed is (the generator "mulberry32"). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed)) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) % limit;
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** As many bytes as asked for. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** Runs a body with chance, and says how to repeat it if it fails. */
export function withSeed(body: (random: Random) => void): () => void {
  return () => {
    const seed = chooseSeed();
    try {
      body(new Random(seed));
    } catch (error) {
      throw new Error(`Failed with POLLUX_SEED=${seed}`, { cause: error });
    }
  };
}

/** The program that runs Deno: another name than `Deno.execPath()` under emulation. */
export function denoProgram(): string {
  return Deno.env.get("POLLUX_DENO") ?? Deno.execPath();
}

/** Runs a program of its own, with the flags given and no others. */
export async function runDeno(
  source: string,
  flags: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const root = new URL("../", import.meta.url);
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, source.replaceAll("POLLUX/", root.href));
    const { code, stdout, stderr } = await new Deno.Command(denoProgram(), {
      args: ["run", "--no-prompt", "--no-check", ...flags, file],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(file);
  }
}
