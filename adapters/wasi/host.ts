/**
 * The WASI host.
 *
 * @module
 */

import type { WASI } from "node:wasi";
import type { FileObject } from "../../backends/ffi/descriptor.ts";
import type { Socket } from "../../backends/ffi/mod.ts";
import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { PREVIEW1 } from "../../backends/wasi/abi.ts";
import { errnoOf, ESUCCESS } from "../../backends/wasi/errno.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import { DESCRIPTOR_CALLS } from "./descriptors.ts";
import { callsOf, type WasiExtension } from "./extension.ts";
import { FdTable } from "./fd_table.ts";
import type { Guest, GuestCall, GuestCalls } from "./guest.ts";
import { type GuestDescriptor, GuestDirectory } from "./guest_file.ts";
import { GuestSocket } from "./guest_socket.ts";
import { standardStream } from "./guest_console.ts";
import { GuestMemory } from "./memory.ts";
import { clockOf, createNodeWasi, nodeCalls } from "./node_wasi.ts";
import { PATH_CALLS } from "./paths.ts";
import { pollOneoff } from "./poll_oneoff.ts";
import { PollRequest } from "./poll_request.ts";
import { Readiness } from "./readiness.ts";
import { borrowReactor } from "./shared_reactor.ts";
import { SOCKET_CALLS } from "./sockets.ts";
import { promisingExport, requireSuspending } from "./suspending.ts";
import { blocking, Stopped, Suspension, type Waiting } from "./waiting.ts";

/** The surroundings of a program. */
export interface WasiHostOptions {
  /** The arguments; the first is the program's name. Default: none. */
  readonly args?: readonly string[];
  /** The environment. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * The directories that the program may use, by the path under which it sees them.
   * Each needs `--allow-read` for all of it. Without `--allow-write`, changes fail
   * (EROFS). No path of the program leads out of them (EPERM), whatever links exist
   * and whatever is moved meanwhile. Default: none.
   */
  readonly preopens?: Readonly<Record<string, string>>;
  /**
   * The sockets that the program may use, often a listener. Their numbers follow
   * those of the directories: 3, 4, … without any. The program may close them; those
   * that it leaves open stay open. Default: none.
   */
  readonly sockets?: readonly Socket[];
  /**
   * Whether these sockets start with NONBLOCK, as under wasmtime. Go and .NET expect
   * it: a call that waits blocks their whole program. Default: false, as C and Rust
   * expect.
   */
  readonly nonblocking?: boolean;
  /** The standard input. Default: 0. */
  readonly stdin?: FileObject;
  /** The standard output. Default: 1. */
  readonly stdout?: FileObject;
  /** The standard error. Default: 2. */
  readonly stderr?: FileObject;
  /**
   * The reactor that waits while the program is suspended; it has to be serving.
   * Default: one that all hosts of this thread share.
   */
  readonly reactor?: Reactor;
  /** The most open descriptors of the program; one more is EMFILE. Default: 1024. */
  readonly maximumDescriptors?: number;
  /** Calls in addition to those of preview 1. Default: none. */
  readonly extensions?: readonly WasiExtension[];
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
  reactor: true,
  maximumDescriptors: true,
  extensions: true,
};

/** Options of `WasiHost.serve`. */
export interface WasiServeOptions {
  /** Ends the program where it waits; `serve()` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const SERVE_OPTIONS: OptionNames<WasiServeOptions> = { signal: true };

/** The calls that may wait, and so suspend the guest. */
const WAITING = [
  "poll_oneoff",
  "fd_read",
  "fd_write",
  "sock_accept",
  "sock_recv",
  "sock_send",
];

/** Thrown through the guest's stack by `proc_exit`. */
class Exit {
  constructor(readonly code: number) {}
}

/**
 * Runs one WASI preview 1 program, which may use the sockets that it is given.
 *
 * Files, sockets, standard streams and `poll_oneoff` are implemented here; clocks,
 * random bytes and arguments come from `node:wasi`.
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
  readonly #wasi: WASI;
  readonly #options: WasiHostOptions;
  readonly #guest: Omit<Guest, "waiting">;
  readonly #calls: GuestCalls;
  readonly #waiting: readonly string[];
  #imports: WebAssembly.Imports | undefined;
  #started = false;

  /**
   * Prepares the surroundings of a program. Directories are opened when it starts.
   *
   * @throws {Deno.errors.NotCapable} without `--allow-read` for all of a preopened directory
   * @throws {TypeError} if an option or an extension is unknown, or the path of a
   *   directory has a NUL inside
   * @throws {RangeError} if `maximumDescriptors` is not a positive integer
   */
  constructor(options: WasiHostOptions = {}) {
    checkOptions(options, HOST_OPTIONS);
    const extensions = (options.extensions ?? []).map(callsOf);
    this.#options = options;
    this.#wasi = createNodeWasi(options.args ?? [], options.env ?? {});
    this.#calls = Object.assign(
      {
        ...nodeCalls(this.#wasi),
        ...DESCRIPTOR_CALLS,
        ...PATH_CALLS,
        ...SOCKET_CALLS,
        poll_oneoff: pollOneoff,
        proc_exit: exit,
      },
      ...extensions.map(({ calls }) => calls),
    );
    this.#waiting = [
      ...WAITING,
      ...extensions.flatMap(({ waiting }) => waiting),
    ];
    const memory = new GuestMemory();
    this.#guest = {
      memory,
      table: initialTable(options),
      readiness: new Readiness(),
      request: new PollRequest(),
      now: clockOf(this.#wasi, memory),
    };
  }

  /**
   * The imports of the program, for your own `WebAssembly.Instance`. Calls that wait
   * block the thread. Pass the instance to `start()`.
   */
  get imports(): WebAssembly.Imports {
    if (this.#imports === undefined) {
      this.#imports = { [PREVIEW1]: this.#bind(blocking) };
    }
    return this.#imports;
  }

  /**
   * Runs a program to its end and blocks this thread: nothing else in Deno runs
   * meanwhile.
   *
   * @returns its exit code
   * @throws {TypeError} if it is not a WASI command, with a `_start` and a memory
   * @throws {SystemError} if a preopened directory cannot be opened
   * @throws {WebAssembly.RuntimeError} if it traps
   */
  run(module: WebAssembly.Module): number {
    let instance: WebAssembly.Instance;
    try {
      instance = new WebAssembly.Instance(module, this.imports);
    } catch (error) {
      return exitCode(error);
    }
    return this.start(instance);
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
   * Runs a program to its end without blocking this thread. The program is suspended
   * while it waits (`WebAssembly.Suspending`), and a reactor waits in its place.
   *
   * @returns its exit code
   * @throws {Deno.errors.NotSupported} if this runtime cannot suspend WebAssembly
   * @throws {Deno.errors.Interrupted} if the reactor is closed meanwhile
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
    const { reactor } = this.#options;
    if (reactor !== undefined) {
      using suspension = new Suspension(reactor);
      return await this.#serve(module, suspension, signal);
    }
    await using borrowed = await borrowReactor();
    using suspension = new Suspension(borrowed.reactor);
    borrowed.served.catch((error) => suspension.stop(error));
    return await this.#serve(module, suspension, signal);
  }

  async #serve(
    module: WebAssembly.Module,
    suspension: Suspension,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const imports = this.#suspendingImports(suspension);
    let instance: WebAssembly.Instance;
    try {
      instance = await WebAssembly.instantiate(module, imports);
    } catch (error) {
      return exitCode(error);
    }
    // An abort during the preparations has called no listener.
    signal?.throwIfAborted();
    const start = this.#attach(instance);
    const stop = (): void => suspension.stop(signal!.reason);
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

  #suspendingImports(suspension: Suspension): WebAssembly.Imports {
    const calls = this.#bind(suspension);
    const imports: WebAssembly.ModuleImports = { ...calls };
    for (const name of this.#waiting) {
      imports[name] = suspension.suspending(calls[name]!);
    }
    imports.sched_yield = suspension.suspending(async () => {
      await suspension.yield();
      return ESUCCESS;
    });
    return { [PREVIEW1]: imports };
  }

  /** The calls as functions of the guest alone, which return error numbers. */
  #bind(waiting: Waiting): Record<string, BoundCall> {
    const guest: Guest = { ...this.#guest, waiting };
    return Object.fromEntries(
      Object.entries(this.#calls).map(([name, call]) => [
        name,
        bound(call, guest),
      ]),
    );
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
    // node:wasi needs the memory only: an instance without anything to initialize.
    this.#wasi.initialize({ exports: { memory } });
    this.#openDirectories();
    return _start;
  }

  /**
   * Opens the directories that are still in the table. A module with a start function
   * has run before, and may have closed or renumbered some.
   */
  #openDirectories(): void {
    try {
      for (const [, entry] of this.#guest.table.entries()) {
        if (entry.kind === "directory") entry.open();
      }
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /**
   * Closes the descriptors that the program has opened, and the selector. Other
   * functions of the program can still be called. Their numbers must not lead to the
   * files that get the numbers of the host next.
   */
  #end(): void {
    const { table } = this.#guest;
    const given = new Set<unknown>(this.#options.sockets);
    for (const [fd, entry] of table.entries()) {
      if (entry.kind !== "stream") table.delete(fd);
      else if (given.has(entry.fileobj)) continue;
      entry.close();
    }
    this.#guest.readiness[Symbol.dispose]();
  }
}

/** Creates the descriptors that a program starts with. */
function initialTable(options: WasiHostOptions): FdTable<GuestDescriptor> {
  const table = new FdTable<GuestDescriptor>(mostDescriptors(options));
  table.add(standardStream(options.stdin ?? 0, "input"));
  table.add(standardStream(options.stdout ?? 1, "output"));
  table.add(standardStream(options.stderr ?? 2, "output"));
  for (const [name, path] of Object.entries(options.preopens ?? {})) {
    requireText(path);
    requireRead(path);
    table.add(new GuestDirectory(-1, mayWrite(path), { name, path }));
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
 * The system opens a path up to a NUL, while Deno permits all of it: then "/a\0/../../b"
 * is "/b".
 */
function requireText(path: string): void {
  if (!path.includes("\0")) return;
  throw new TypeError(
    `Cannot use path ${JSON.stringify(path)}: it contains a NUL`,
  );
}

/**
 * Asks for the permission to read, which calls of a library do not. A permission
 * that is denied for a part of the directory does not suffice, because the program
 * could reach that part.
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

type BoundCall = (...args: unknown[]) => number | Promise<number>;

/** A call that returns its errors as numbers. */
function bound(call: GuestCall, guest: Guest): BoundCall {
  return (...args) => {
    try {
      const result = call(guest, ...args);
      return typeof result === "number" ? result : result.catch(errnoOf);
    } catch (error) {
      return errnoOf(error);
    }
  };
}

function exit(_guest: Guest, code: number): never {
  throw new Exit(code >>> 0);
}

/**
 * The exit code of a program that ended by `proc_exit`, perhaps in its start function.
 *
 * @throws {unknown} every other error
 */
function exitCode(error: unknown): number {
  if (error instanceof Exit) return error.code;
  throw error instanceof Stopped ? error.reason : error;
}
