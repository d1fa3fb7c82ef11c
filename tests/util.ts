/**
 * Helpers of all tests: they count descriptors, fill and drain sockets, wait for
 * events, and make random values that can be repeated.
 */

import process from "node:process";
import { assert, assertEquals, fail } from "@std/assert";
import { hasPipes, isOpen } from "../backends/ffi/descriptor.ts";
import { openLibrary } from "../backends/ffi/libc.ts";
import { hasFullPermission } from "../backends/ffi/permission.ts";
import { reserveLowNumber } from "./descriptors.ts";
import { openDenoDescriptors } from "../reactor/sharing/deno_descriptors.ts";
import {
  type FileObject,
  read,
  Socket,
  socketPair,
  WOULD_BLOCK,
  write,
} from "../backends/ffi/mod.ts";
import type { Selector, SelectorKey } from "../backends/mod.ts";

/** How long a test waits for an event, in milliseconds. */
export const PATIENCE = 30_000;

/** How long a test waits to see that no event comes, in milliseconds. */
const QUIET = 20;

/** The same on a busy machine, where the kernel may do its part late. */
export const LONG_QUIET = 100;

/** Without /proc, how many descriptors are probed one by one. */
const PROBED_FDS = 4096;

/**
 * Whether pipes, terminals and files can be watched, and descriptors have the numbers
 * of POSIX. On Windows only sockets can.
 */
export const anyFile: boolean = hasPipes;

/** The options of a test. */
export interface TestOptions
  extends Omit<Deno.TestDefinition, "name" | "fn" | "ignore"> {
  readonly ignore?: boolean;
  /** Why the test is ignored, if it is: the end of its name. */
  readonly reason?: string;
}

/** The options of a test of pipes, terminals, files and other calls of POSIX. */
export const NEEDS_POSIX = {
  ignore: !anyFile,
  reason: "Windows has no such descriptors or calls",
} as const satisfies TestOptions;

/** The options of a test of pipes. */
export const NEEDS_PIPES = {
  ignore: !anyFile,
  reason: "the pipes of Windows cannot be waited for",
} as const satisfies TestOptions;

/** The options of a test of regular files. */
export const NEEDS_FILES = {
  ignore: !anyFile,
  reason: "the files of Windows are no descriptors",
} as const satisfies TestOptions;

/** The options of a test that applies to Linux only. */
export const ONLY_LINUX = {
  ignore: Deno.build.os !== "linux",
  reason: "only Linux has this",
} as const satisfies TestOptions;

/**
 * The options of a test that reads memory by its address or calls a function by it. Deno
 * permits that only to programs that may open every library.
 */
export const NEEDS_ALL_LIBRARIES = {
  ignore: !hasFullPermission(),
  reason: "Deno permits some libraries only",
} as const satisfies TestOptions;

/** As `test()`, for pipes, terminals, files and other calls of POSIX. */
export function posixTest(
  name: string,
  body: () => void | Promise<void>,
  options: TestOptions = {},
): void {
  test(
    name,
    body,
    anyFile ? options : { ...NEEDS_POSIX, ...options, ignore: true },
  );
}

/** Whether this system has Unix sockets; Wine has none. */
export const unixSockets: boolean = hasUnixSockets();

/** The options of a test of Unix sockets. */
export const NEEDS_UNIX_SOCKETS = {
  ignore: !unixSockets,
  reason: "this system has no Unix sockets",
} as const satisfies TestOptions;

/** The options of a test of Unix sockets for datagrams. */
export const NEEDS_UNIX_DATAGRAMS = {
  ignore: !anyFile,
  reason: "Windows has no Unix sockets for datagrams",
} as const satisfies TestOptions;

function hasUnixSockets(): boolean {
  try {
    Socket.create("unix").close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotSupported) return false;
    throw error;
  }
}

/** Windows ignores the low two bits of a handle. */
const NUMBER_STEP = anyFile ? 1 : 4;

/** The open descriptors of this process, and the file behind each. */
export function openFds(): Map<number, string> {
  // Under Wine that path exists, and is of another system.
  if (!anyFile) return probedFds();
  try {
    return new Map(
      [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) =>
        describeFd(Number(name))
      ),
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return probedFds();
  }
}

function probedFds(): Map<number, string> {
  const numbers = Array.from({ length: PROBED_FDS }, (_, fd) => fd)
    .filter((fd) => fd % NUMBER_STEP === 0);
  return new Map(numbers.filter(isOpen).map((fd) => [fd, "open"]));
}

/** The file behind a descriptor; nothing for that of the directory, which is closed by now. */
function describeFd(fd: number): [number, string][] {
  try {
    return [[fd, Deno.readLinkSync(`/proc/self/fd/${fd}`)]];
  } catch {
    return [];
  }
}

/** The descriptors that were opened since `before`, as text. */
function newFds(before: ReadonlyMap<number, string>): string[] {
  return [...openFds()]
    .filter(([fd, target]) => before.get(fd) !== target)
    .map(([fd, target]) => `${fd} (${target})`);
}

/**
 * Fails a test that leaves descriptors open, and names them. Deno's own
 * sanitizers see only resources of Deno.
 *
 * Some descriptors are closed by another thread (libkqueue's, and that of a
 * `Worker`), so the check is repeated for a while.
 */
function withFdCheck(
  body: () => void | Promise<void>,
): () => Promise<void> {
  return async () => {
    reserveLowNumber();
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
 * Opens the C library and Deno's own descriptors, which both stay open. Otherwise
 * Deno would report a leak in the first test that uses them.
 */
function openPermanentResources(): void {
  try {
    openLibrary();
    openDenoDescriptors();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotSupported)) throw error;
  }
}

/** Defines a test that has to close every descriptor that it opens. */
export function test(
  name: string,
  body: () => void | Promise<void>,
  { reason, ...options }: TestOptions = {},
): void {
  openPermanentResources();
  const why = options.ignore && reason !== undefined;
  const fullName = why ? `${name} (ignored: ${reason})` : name;
  Deno.test({ ...options, name: fullName, fn: withFdCheck(body) });
}

/**
 * Whether an emulator runs the tests. Its C library is in another place, the machine's
 * compiler is for another processor, and system calls may be missing.
 */
export const emulated = Deno.env.get("POLLUX_EMULATED") === "1";

/** Whether this is Wine, whose Winsock is not that of Windows in every point. */
export const wine = Deno.env.get("POLLUX_WINE") === "1";

/** Waits for an iteration of Deno's event loop. */
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

/** Writes until the buffer is full, and returns the number of bytes. */
export function fillSocket(fileobj: FileObject): number {
  const chunk = new Uint8Array(4096);
  // The rest of the buffer may be too small for a chunk, but not for a byte.
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

/** Reads until the buffer is empty, and returns the number of bytes. */
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

/** The result of `select()`, with the data of the keys, in their order. */
export function summary<T>(
  entries: [key: SelectorKey<T>, events: number][],
): [data: T, events: number][] {
  return entries
    .map(([{ data }, events]): [T, number] => [data, events])
    .sort(([a], [b]) => String(a) < String(b) ? -1 : 1);
}

/**
 * Waits until the selector has reported all expected events, in one or more waits.
 * Fails at an event that is not expected.
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

/** Waits until a condition holds; fails after a while. */
export async function eventually(
  condition: () => boolean,
  name: string,
  patience: number = PATIENCE,
): Promise<void> {
  const end = performance.now() + patience;
  while (!condition()) {
    if (performance.now() > end) fail(`Waited in vain for ${name}`);
    await nextTurn();
  }
}

/**
 * Calls a function until its promise stays pending, as a write does when the buffers to
 * the peer are full. The promise is left: its end is not an error.
 */
export async function untilPending(
  call: () => Promise<unknown>,
): Promise<void> {
  for (let waits = false; !waits;) {
    const promise = call();
    promise.catch(() => {});
    let timer: ReturnType<typeof setTimeout>;
    const quiet = new Promise<true>((resolve) => {
      timer = setTimeout(() => resolve(true), LONG_QUIET);
    });
    waits = await Promise.race([promise.then(() => false), quiet]);
    clearTimeout(timer!);
  }
}

/** How long a function takes, in milliseconds. */
export function elapsed(body: () => void): number {
  const start = performance.now();
  body();
  return performance.now() - start;
}

/**
 * The CPU time of this process so far, in milliseconds. However busy the machine is, other
 * processes do not count.
 */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** How much CPU time this process takes during a function, in milliseconds. */
export function cpuTime(body: () => void): number {
  const start = cpuNow();
  body();
  return cpuNow() - start;
}

/** The seed of random values: POLLUX_SEED, or else the time. */
export function chooseSeed(): number {
  const asked = Deno.env.get("POLLUX_SEED");
  return asked === undefined ? Date.now() % 2 ** 32 : Number(asked);
}

/** Random values, the same for the same seed (the generator "mulberry32"). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed)) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) % limit;
  }

  /** An element of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** An array of bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** Runs a body with random values, and reports the seed if it fails. */
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

/** The program that runs Deno. Under emulation it is not `Deno.execPath()`. */
export function denoProgram(): string {
  return Deno.env.get("POLLUX_DENO") ?? Deno.execPath();
}

/** Runs a program in another Deno, with these flags only. */
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
