/**
 * A child process, which the reactor watches.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import { processCalls } from "../../backends/ffi/process_calls.ts";
import { PollFds } from "../../backends/ffi/structs/pollfd.ts";
import { POLLIN, pollOnce } from "../../backends/poll.ts";
import { EVENT_READ, type FileObject } from "../../backends/selector.ts";
import { DESCRIBE, Endpoint, loopOf } from "../../reactor/endpoint.ts";
import type { Loop } from "../../reactor/loop.ts";
import { DESTROY } from "../../reactor/owned.ts";
import type { Stream } from "../../reactor/stream.ts";
import { UNSERVED } from "../../reactor/turn_waits.ts";
import { signalName } from "./numbers.ts";
import type { ProcessDescriptor } from "./process_descriptor.ts";
import type { Terminal } from "./terminal.ts";

/** How a child has ended, as `Deno.CommandStatus` has it. */
export interface ChildStatus {
  /** Whether it has exited with 0. */
  readonly success: boolean;
  /** Its exit code; after a signal 128 and the number of the signal, as in a shell. */
  readonly code: number;
  /** The signal that ended it, as in "SIGTERM"; null after an exit. */
  readonly signal: string | null;
}

/** The parts of a child that `spawn()` makes. */
export interface ChildParts {
  readonly pid: number;
  readonly descriptor: ProcessDescriptor;
  readonly terminal: Terminal | null;
  /** Standard input, output and error; null for each that is no pipe. */
  readonly streams: readonly (Stream | null)[];
}

/** WNOHANG of <sys/wait.h>, the same on every system. */
const WNOHANG = 1;

/** How long a closing reactor waits for a killed child, in milliseconds. */
const END_TIMEOUT = 100;

/** Children that were killed and had not ended by the close of their reactor. */
const unreaped = new Set<number>();

/**
 * Takes the status of a child that has ended.
 *
 * @returns null while it runs
 * @throws {SystemError} `ECHILD` if other code has taken it
 */
export function reap(
  pid: number,
  options: number = WNOHANG,
): ChildStatus | null {
  const word = new Int32Array(new ArrayBuffer(4));
  const result = processCalls.waitpid(pid, word, options);
  if (result === 0 || -result === system().errno.EINTR) return null;
  if (result < 0) throw systemError("waitpid", -result, `${pid}`);
  return statusOf(word[0]!);
}

/** Decodes the status word of wait(2), which is the same on every system. */
export function statusOf(word: number): ChildStatus {
  const signal = word & 0x7f;
  const code = signal === 0 ? word >> 8 & 0xff : 128 + signal;
  const name = signal === 0 ? null : signalName(signal);
  return { success: code === 0, code, signal: name };
}

/** Reaps the children of closed reactors, so that no zombie stays. */
export function reapOthers(): void {
  for (const pid of unreaped) {
    if (tryReap(pid) !== null) unreaped.delete(pid);
  }
}

/** As `reap`, with an error as the result. */
function tryReap(pid: number): ChildStatus | Error | null {
  try {
    return reap(pid);
  } catch (error) {
    return error as Error;
  }
}

/**
 * A running program, which `spawn()` has created. It keeps `run()` and the process
 * alive until it ends, except after `unref()`.
 *
 * The end of the program and the end of its output are independent: the last output may
 * come after the status. Closing the reactor closes its children.
 */
export class Child extends Endpoint implements AsyncDisposable {
  /** Called from the loop with the status, once, when the child has ended. */
  onExit: ((status: ChildStatus, child: this) => void) | null | undefined =
    null;
  readonly #parts: ChildParts;
  #result: ChildStatus | Error | null = null;
  #status: PromiseWithResolvers<ChildStatus> | null = null;

  /**
   * Called by `spawn()`.
   *
   * @throws {Deno.errors.BadResource} if the reactor is closed
   * @throws {SystemError} if the system refuses to watch the process
   */
  constructor(loop: Loop, parts: ChildParts) {
    super(loop);
    this.#parts = parts;
    try {
      this.watch(EVENT_READ, Child.#onReady);
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** The number of the process. */
  get pid(): number {
    return this.#parts.pid;
  }

  /** A descriptor that is ready to read when the child has ended; -1 after that. */
  get fd(): number {
    return this.#parts.descriptor.fd;
  }

  /** Whether the child has ended, and its status was taken. */
  get closed(): boolean {
    return this.fd === -1;
  }

  /**
   * The terminal that the child runs in.
   *
   * @throws {TypeError} without the option `terminal`
   */
  get terminal(): Terminal {
    const { terminal } = this.#parts;
    if (terminal !== null) return terminal;
    throw new TypeError('Child has no terminal: use the option "terminal"');
  }

  /**
   * The stream to the standard input of the child. `end()` is its end of file. It is
   * flushed and closed when the child ends.
   *
   * @throws {TypeError} unless it is "pipe"
   */
  get stdin(): Stream {
    return this.#stream(0, "stdin");
  }

  /**
   * The stream of its standard output. The child waits while you do not read.
   *
   * @throws {TypeError} unless it is "pipe"
   */
  get stdout(): Stream {
    return this.#stream(1, "stdout");
  }

  /**
   * The stream of its standard error.
   *
   * @throws {TypeError} unless it is "pipe"
   */
  get stderr(): Stream {
    return this.#stream(2, "stderr");
  }

  #stream(index: number, name: string): Stream {
    const stream = this.#parts.streams[index] ?? null;
    if (stream !== null) return stream;
    throw new TypeError(`Child has no stream ${name}: it is not "pipe"`);
  }

  /**
   * Resolves with the status when the child has ended. It needs `serve()`: if nothing
   * runs the reactor within a second, it rejects with `Deno.errors.NotSupported`. With
   * `run()` use `onExit`.
   *
   * It rejects with `Deno.errors.Interrupted` if the reactor is closed and the child
   * cannot be killed.
   */
  get status(): Promise<ChildStatus> {
    const result = this.#result;
    if (result instanceof Error) return Promise.reject(result);
    if (result !== null) return Promise.resolve(result);
    this.#status ??= Promise.withResolvers();
    loopOf(this).awaitTurn(this);
    return this.#status.promise;
  }

  /** Called by the loop. */
  [UNSERVED](error: Error): void {
    this.#status?.reject(error);
    this.#status = null;
  }

  /**
   * Sends a signal to the child, and never to another process. For the whole
   * foreground job of a terminal write its control character instead, as "\x03".
   *
   * @param signal Default: "SIGTERM"
   * @returns false if the child has ended
   * @throws {TypeError} if this system has no such signal
   * @throws {SystemError} `Deno.errors.PermissionDenied` if the child runs as another
   *   user
   */
  kill(signal: Deno.Signal = "SIGTERM"): boolean {
    return !this.closed && this.#parts.descriptor.kill(signal);
  }

  /**
   * Kills the child with SIGKILL if it still runs, closes the terminal and the streams,
   * and discards their queues. `status` resolves when it has ended.
   *
   * @throws {SystemError} as `kill`
   */
  override close(): void {
    const { terminal, streams } = this.#parts;
    try {
      // Before the terminal hangs up, which would end the child by SIGHUP.
      this.kill("SIGKILL");
    } finally {
      terminal?.abort();
      for (const stream of streams) stream?.abort();
    }
  }

  /** Closes it at the end of an `await using` scope, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.status;
  }

  /** Called by `reactor.describe()`. */
  override [DESCRIBE](): [
    callback: string,
    bytesQueued: number,
    paused: boolean,
  ] {
    const { onExit } = this;
    return [onExit ? onExit.name || "onExit" : "", 0, false];
  }

  /** Called by the loop when it is closed, which closes the streams itself. */
  override [DESTROY](): void {
    if (this.closed) return;
    try {
      this.kill("SIGKILL");
      const fds = new PollFds(1);
      fds.set(0, this.fd, POLLIN);
      pollOnce(fds, 1, END_TIMEOUT);
    } catch {
      // It runs as another user by now, and stays.
    }
    const result = tryReap(this.pid);
    if (result === null) unreaped.add(this.pid);
    this.#finish(result ?? new Deno.errors.Interrupted("Reactor was closed"));
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    const child = fileobj as Child;
    const result = tryReap(child.pid);
    if (result !== null) child.#finish(result);
  };

  #finish(result: ChildStatus | Error): void {
    const loop = loopOf(this);
    this.leave();
    this.#parts.descriptor.close();
    this.#result = result;
    loop.forgetTurn(this);
    // Nothing else would notice that there is no reader any more.
    this.#parts.streams[0]?.close();
    if (result instanceof Error) return this.#fail(result);
    this.#status?.resolve(result);
    const { onExit } = this;
    if (onExit && !loop.closed) {
      loop.guard(() => onExit.call(this, result, this));
    }
  }

  /** An error is reported by `status` or, if nothing waits for it, by `onError`. */
  #fail(error: Error): void {
    const loop = loopOf(this);
    if (this.#status !== null) this.#status.reject(error);
    else if (!loop.closed) loop.reports.report(error);
  }
}
