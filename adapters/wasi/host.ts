/**
 * A host for WASI programs that serve and use sockets.
 *
 * @module
 */

import type { WASI } from "node:wasi";
import { createSelector } from "../../backends/default_selector.ts";
import type { FileObject } from "../../backends/ffi/descriptor.ts";
import { openDirectory } from "../../backends/ffi/files.ts";
import type { Socket } from "../../backends/ffi/mod.ts";
import { checkOptions, type OptionNames } from "../../backends/options.ts";
import type { LoopSelector } from "../../backends/selector.ts";
import { CLOCKID_REALTIME, PREVIEW1 } from "../../backends/wasi/abi.ts";
import { errnoOf, ESUCCESS } from "../../backends/wasi/errno.ts";
import { FdTable } from "./fd_table.ts";
import { fileAnswers, fileCalls } from "./files.ts";
import type { Guest, GuestCall, GuestCalls } from "./guest.ts";
import { type GuestDescriptor, GuestDirectory } from "./guest_file.ts";
import { GuestSocket } from "./guest_socket.ts";
import { GuestStdio } from "./guest_stdio.ts";
import { GuestMemory } from "./memory.ts";
import { pathCalls } from "./paths.ts";
import { Patience } from "./patience.ts";
import { PollOneoff } from "./poll_oneoff.ts";
import { Readiness } from "./readiness.ts";
import { Reach } from "../wasmedge/reach.ts";
import { blockingSleeper, type Sleeper, SuspendingSleeper } from "./sleeper.ts";
import { socketCalls } from "./sockets.ts";
import { streamCalls } from "./streams.ts";
import {
  promisingExport,
  requireSuspending,
  suspending,
} from "./suspending.ts";
import { Turns } from "./turn.ts";
import { borrowWaiter, type Waiter } from "./waiter.ts";
import { wasmEdgeCalls, type WasmEdgeOptions } from "../wasmedge/wasmedge.ts";

/** What a program gets. */
export interface WasiHostOptions {
  /** Its arguments; the first is its name. */
  readonly args?: readonly string[];
  /** Its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * The directories that it may use, by the path under which it sees them. Deno
   * has to be permitted to read there; without `--allow-write`, what would change
   * something fails (EROFS). No path of the program leads out of them, whatever
   * links there are and whatever is moved meanwhile (EPERM).
   */
  readonly preopens?: Readonly<Record<string, string>>;
  /**
   * The sockets that it may use, often a listener. They get the numbers after the
   * directories: 3, 4, … if there are none. The program's calls on them wait
   * unless it says otherwise. It may close them; whatever it leaves open stays
   * the caller's.
   */
  readonly sockets?: readonly Socket[];
  /**
   * Whether these sockets have NONBLOCK from the start, as under wasmtime: Go and
   * .NET count on it, and what waits in one of their calls keeps the whole program
   * waiting. False if left out, as C and Rust would have it.
   */
  readonly nonblocking?: boolean;
  /** What it reads as its standard input: 0 if left out. */
  readonly stdin?: FileObject;
  /** What its standard output goes to: 1 if left out. */
  readonly stdout?: FileObject;
  /** What its standard error goes to: 2 if left out. */
  readonly stderr?: FileObject;
  /**
   * The selector that its `poll_oneoff` waits with, which it has for itself: the
   * best of this system, if left out. It is closed when the program has ended.
   */
  readonly selector?: LoopSelector<unknown>;
  /** Who waits while it is suspended: a `Reactor`, for one. */
  readonly waiter?: Waiter;
  /**
   * The most descriptors that it may have at once, what it is given among them: one
   * more is EMFILE. They are the process's own, of which it would take all. 1024 if
   * left out.
   */
  readonly maximumDescriptors?: number;
  /** The socket calls of WasmEdge, and what they may reach. Without it there are none. */
  readonly wasmEdge?: WasmEdgeOptions;
}

const HOST_OPTIONS: OptionNames<WasiHostOptions> = {
  args: true,
  env: true,
  preopens: true,
  sockets: true,
  nonblocking: true,
  stdin: true,
  stdout: true,
  stderr: true,
  selector: true,
  waiter: true,
  maximumDescriptors: true,
  wasmEdge: true,
};

const WASM_EDGE_OPTIONS: OptionNames<WasmEdgeOptions> = { reach: true };

/** How a suspended program can be ended. */
export interface WasiServeOptions {
  /** Ends the program where it waits, which rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const SERVE_OPTIONS: OptionNames<WasiServeOptions> = { signal: true };

/** The calls that may wait, and so may be suspended. */
const WAITING = [
  "poll_oneoff",
  "fd_read",
  "fd_write",
  "sock_accept",
  "sock_connect",
  "sock_recv",
  "sock_recv_from",
  "sock_send",
  "sock_send_to",
  "sched_yield",
];

/** How a program leaves: thrown through its stack. */
class Exit {
  constructor(readonly code: number) {}
}

/**
 * Runs one WASI preview 1 program, with the sockets that it is given.
 *
 * Clocks, chance and arguments are left to `node:wasi`; files, sockets, standard
 * streams and `poll_oneoff` are served here, the latter by a selector.
 *
 * @example Run an echo server written in C, Rust or Go
 * ```ts ignore
 * import { Socket } from "@pollux/reactor/socket";
 * import { WasiHost } from "@pollux/reactor/wasi";
 *
 * using listener = Socket.create("IPv4", "stream");
 * listener.bind({ hostname: "127.0.0.1", port: 8001 });
 * listener.listen();
 *
 * const host = new WasiHost({ args: ["echo"], sockets: [listener] });
 * const module = await WebAssembly.compile(await Deno.readFile("echo.wasm"));
 * Deno.exit(await host.serve(module));
 * ```
 */
export class WasiHost {
  readonly #guest: Guest;
  readonly #wasi: WASI;
  readonly #options: WasiHostOptions;
  readonly #reach: Reach | undefined;
  #imports: WebAssembly.Imports | undefined;
  #started = false;

  /**
   * Prepares a program's surroundings; nothing is opened before it starts.
   *
   * @throws {Deno.errors.NotCapable} without `--allow-read` for all of a preopened directory
   * @throws {TypeError} if WasmEdge's calls are to reach what is no address, or an
   *   option is unknown
   * @throws {RangeError} if `maximumDescriptors` is no positive integer
   */
  constructor(options: WasiHostOptions = {}) {
    checkOptions(options, HOST_OPTIONS);
    checkOptions(options.wasmEdge ?? {}, WASM_EDGE_OPTIONS);
    this.#options = options;
    this.#reach = options.wasmEdge && new Reach(options.wasmEdge.reach);
    const { WASI } = nodeWasi();
    this.#wasi = new WASI({
      version: "preview1",
      args: [...options.args ?? []],
      env: { ...options.env },
    });
    const memory = new GuestMemory();
    this.#guest = {
      memory,
      table: initialTable(options),
      readiness: new Readiness(
        () => options.selector ?? createSelector<unknown>(),
      ),
      now: clockOf(this.#wasi, memory),
    };
  }

  /**
   * What the program imports, if somebody else instantiates it: its calls wait
   * with their thread. `start()` has to follow.
   */
  get imports(): WebAssembly.Imports {
    if (this.#imports === undefined) {
      const calls = this.#calls(blockingSleeper);
      this.#imports = { [PREVIEW1]: mapValues(calls, guarded) };
    }
    return this.#imports;
  }

  /**
   * Runs a program to its end, in this thread: nothing else in Deno moves
   * meanwhile.
   *
   * @returns its exit code
   * @throws {TypeError} if it is no WASI command: without a `_start` or a memory
   * @throws {SystemError} if a preopened directory cannot be opened
   * @throws {WebAssembly.RuntimeError} if it traps
   */
  run(module: WebAssembly.Module): number {
    return this.start(new WebAssembly.Instance(module, this.imports));
  }

  /**
   * Runs a program that was instantiated with `imports`, as `run` does.
   *
   * @returns its exit code
   * @throws as `run`
   */
  start(instance: WebAssembly.Instance): number {
    const start = this.#attach(instance);
    try {
      (start as () => void)();
      return 0;
    } catch (error) {
      return exitCode(error);
    } finally {
      this.#end();
    }
  }

  /**
   * Runs a program to its end beside everything else in this thread: it is
   * suspended while it waits (WebAssembly.Suspending).
   *
   * @returns its exit code
   * @throws {Deno.errors.NotSupported} if this runtime cannot suspend WebAssembly
   * @throws {TypeError} if an option is unknown
   * @throws as `run`, and with the signal's reason
   */
  async serve(
    module: WebAssembly.Module,
    options: WasiServeOptions = {},
  ): Promise<number> {
    checkOptions(options, SERVE_OPTIONS);
    const { signal } = options;
    requireSuspending();
    signal?.throwIfAborted();
    using borrowed = this.#options.waiter === undefined
      ? borrowWaiter()
      : undefined;
    const sleeper = new SuspendingSleeper(borrowed ?? this.#options.waiter!);
    const instance = await WebAssembly.instantiate(
      module,
      this.#suspendingImports(sleeper),
    );
    const start = this.#attach(instance);
    const stop = (): void => sleeper.stop(signal!.reason);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await promisingExport(start)();
      return 0;
    } catch (error) {
      return exitCode(error);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#end();
    }
  }

  #suspendingImports(sleeper: SuspendingSleeper): WebAssembly.Imports {
    const turns = new Turns();
    const calls = this.#calls(sleeper);
    calls.sched_yield = async () => {
      await turns.take();
      sleeper.throwIfStopped();
      return ESUCCESS;
    };
    const imports: WebAssembly.ModuleImports = mapValues(calls, guarded);
    for (const name of WAITING) {
      const call = calls[name];
      if (call === undefined) continue;
      imports[name] = suspending(fairly(guarded(call), turns, sleeper));
    }
    return { [PREVIEW1]: imports };
  }

  #calls(sleeper: Sleeper): GuestCalls {
    const guest = this.#guest;
    const patience = new Patience(guest.readiness, sleeper);
    const poll = new PollOneoff(guest, sleeper);
    const inner = this.#wasi.wasiImport as GuestCalls;
    const answers = fileAnswers(guest);
    const reach = this.#reach;
    return {
      ...fileCalls(guest, inner, answers),
      ...pathCalls(guest),
      ...streamCalls(guest, patience, answers),
      ...socketCalls(guest, patience),
      ...reach && wasmEdgeCalls(guest, patience, reach),
      poll_oneoff: poll.call.bind(poll),
      proc_exit: (code: number) => {
        throw new Exit(code >>> 0);
      },
    };
  }

  #attach(instance: WebAssembly.Instance): WebAssembly.ExportValue {
    if (this.#started) throw new TypeError("WasiHost runs one program only");
    const { memory, _start } = instance.exports;
    if (!(memory instanceof WebAssembly.Memory)) {
      throw new TypeError("Cannot run the program: it exports no memory");
    }
    if (typeof _start !== "function") {
      throw new TypeError("Cannot run the program: it exports no _start");
    }
    this.#started = true;
    this.#guest.memory.attach(memory);
    // All that node:wasi needs to know: an instance that has nothing to initialize.
    this.#wasi.initialize({ exports: { memory } });
    this.#openDirectories();
    return _start;
  }

  #openDirectories(): void {
    const paths = Object.values(this.#options.preopens ?? {});
    try {
      for (const entry of this.#guest.table.entries()) {
        if (entry.kind === "directory") {
          entry.attach(openDirectory(paths.shift()!));
        }
      }
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** Closes what the program opened itself and left open. */
  #end(): void {
    const given = new Set<unknown>(this.#options.sockets);
    for (const entry of this.#guest.table.entries()) {
      if (entry.kind !== "stream" || !given.has(entry.fileobj)) entry.close();
    }
    this.#guest.readiness[Symbol.dispose]();
  }
}

/**
 * `node:wasi`, when there is a program to run: imported, it would make everybody
 * who imports Pollux wait for Node's modules, 12 ms at each start.
 */
function nodeWasi(): typeof import("node:wasi") {
  return globalThis.process.getBuiltinModule("node:wasi");
}

/** Standard streams, directories, sockets: the numbers that a program begins with. */
function initialTable(options: WasiHostOptions): FdTable<GuestDescriptor> {
  const table = new FdTable<GuestDescriptor>(mostDescriptors(options));
  table.add(new GuestStdio(options.stdin ?? 0, "input"));
  table.add(new GuestStdio(options.stdout ?? 1, "output"));
  table.add(new GuestStdio(options.stderr ?? 2, "output"));
  for (const [name, path] of Object.entries(options.preopens ?? {})) {
    requireRead(path);
    table.add(new GuestDirectory(-1, mayWrite(path), name));
  }
  for (const socket of options.sockets ?? []) {
    const entry = GuestSocket.of(socket);
    entry.nonblocking = options.nonblocking ?? false;
    table.add(entry);
  }
  return table;
}

function mostDescriptors(
  { maximumDescriptors = 1024 }: WasiHostOptions,
): number {
  if (!Number.isInteger(maximumDescriptors) || maximumDescriptors < 1) {
    throw new RangeError(
      `Cannot use ${maximumDescriptors} as maximumDescriptors: it must be a positive integer`,
    );
  }
  return maximumDescriptors;
}

/**
 * A library that is called asks for no permission, so it is asked for here. One
 * that is denied for a part of the directory is none: a program's path could lead
 * there.
 */
function requireRead(path: string): void {
  const { state, partial } = Deno.permissions.requestSync({
    name: "read",
    path,
  });
  if (state === "granted" && !partial) return;
  throw new Deno.errors.NotCapable(
    `Requires read access to all of "${path}", run again with the --allow-read flag`,
  );
}

function mayWrite(path: string): boolean {
  const { state, partial } = Deno.permissions.querySync({
    name: "write",
    path,
  });
  return state === "granted" && !partial;
}

/**
 * What time a program thinks it is. Where its monotonic clock starts only
 * `node:wasi` knows, and it tells nobody but a guest's memory: eight bytes are
 * lent and given back.
 */
function clockOf(wasi: WASI, memory: GuestMemory): Guest["now"] {
  return (clockId) => {
    if (clockId === CLOCKID_REALTIME) return Date.now();
    const { view } = memory;
    const lent = view.getBigUint64(0, true);
    (wasi.wasiImport as GuestCalls).clock_time_get!(clockId, 0n, 0);
    const nanoseconds = view.getBigUint64(0, true);
    view.setBigUint64(0, lent, true);
    return Number(nanoseconds) / 1e6;
  };
}

/** A call whose mistakes are told to the guest as error numbers. */
function guarded(call: GuestCall): GuestCall {
  return (...args) => {
    try {
      const result = call(...args);
      return typeof result === "number" ? result : result.catch(errnoOf);
    } catch (error) {
      return errnoOf(error);
    }
  };
}

/** A call before which Deno's loop gets its turn, if it is due. */
function fairly(
  call: GuestCall,
  turns: Turns,
  sleeper: SuspendingSleeper,
): GuestCall {
  const later = async (args: unknown[]): Promise<number> => {
    await turns.take();
    sleeper.throwIfStopped();
    return call(...args);
  };
  return (...args) => turns.due ? later(args) : call(...args);
}

function exitCode(error: unknown): number {
  if (error instanceof Exit) return error.code;
  throw error;
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, change(value)]),
  );
}
