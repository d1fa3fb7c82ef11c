/**
 * Signals as bytes in a pipe, also while this thread never returns to Deno's event loop.
 *
 * Deno calls signal listeners from its event loop. A worker has an event loop of its own,
 * which always runs: its listeners write one byte for each signal into a pipe. This is
 * the self-pipe trick, with a thread instead of a signal handler.
 *
 * @module
 */

import { close, hasPipes, read } from "./ffi/descriptor.ts";
import { libraryPath } from "./ffi/library.ts";
import { wakePair } from "./ffi/wake_pair.ts";
import { PollSelector } from "./poll_selector.ts";
import { EVENT_READ } from "./selector.ts";

/** Longest start of the worker, in milliseconds: about 100 is usual. */
const START_TIMEOUT = 10_000;

/** The byte that confirms a change. */
const DONE = 0;

/** The part of a `Worker` of `node:worker_threads` that the pipe uses; the web's has no `unref()`. */
interface Listener {
  postMessage(message: unknown): void;
  terminate(): Promise<number>;
  unref(): void;
}

interface NodeProcess {
  getBuiltinModule(name: "node:worker_threads"): {
    Worker: new (url: URL) => Listener;
  };
}

/** The program of the worker, which is passed as text: it sees nothing of this file. */
function listen(library: string, call: string, wakeFd: number): void {
  // write(2) but, for sockets of Windows, send(2) with no flags.
  const { symbols } = Deno.dlopen(
    library,
    {
      write: {
        name: call,
        parameters: ["i32", "buffer", "u32", "i32"],
        result: "i32",
      },
    } as const,
  );
  // A full pipe loses the byte: so many signals are waiting to be read.
  const send = (byte: number): number =>
    // deno-lint-ignore pollux/bare-symbol
    symbols.write(wakeFd, Uint8Array.of(byte), 1, 0);
  const listeners = new Map<Deno.Signal, () => void>();
  addEventListener("message", (event) => {
    const { signal, byte } = (event as MessageEvent).data;
    const known = listeners.get(signal);
    if (known === undefined) {
      const listener = (): void => void send(byte);
      listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    } else {
      listeners.delete(signal);
      Deno.removeSignalListener(signal, known);
    }
    send(0);
  });
}

function startWorker(wakeFd: number): Listener {
  const { process } = globalThis as unknown as { process: NodeProcess };
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const library = JSON.stringify(libraryPath());
  const call = JSON.stringify(hasPipes ? "write" : "send");
  const program = `(${listen})(${library}, ${call}, ${wakeFd})`;
  const url = `data:text/javascript,${encodeURIComponent(program)}`;
  const worker = new Worker(new URL(url));
  worker.unref();
  return worker;
}

/** A pipe that a worker writes signals to. */
export class SignalPipe {
  /** The end to read signals from. */
  readonly fd: number;
  readonly #wakeFd: number;
  readonly #buffer = new Uint8Array(new ArrayBuffer(256));
  #worker: Listener | null = null;

  /** @throws {SystemError} `EMFILE`: no descriptors left */
  constructor() {
    [this.fd, this.#wakeFd] = wakePair();
  }

  /**
   * Starts to watch a signal or, if it is watched, restores its default action. It waits
   * until the worker has done so: no later signal is missed. The first call starts the
   * worker.
   *
   * @param byte The byte for this signal, 1 to 255
   * @returns the bytes of signals that arrived during the wait
   * @throws {Deno.errors.TimedOut} if the worker does not start within 10 seconds
   */
  toggle(signal: Deno.Signal, byte: number): number[] {
    this.#worker ??= startWorker(this.#wakeFd);
    this.#worker.postMessage({ signal, byte });
    using selector = new PollSelector<null>();
    selector.register(this.fd, EVENT_READ, null);
    const one = new Uint8Array(new ArrayBuffer(1));
    const early: number[] = [];
    for (;;) {
      if (selector.select(START_TIMEOUT).length === 0) {
        throw new Deno.errors.TimedOut("Signal worker does not start");
      }
      if (read(this.fd, one) === 1 && one[0] === DONE) return early;
      early.push(one[0]!);
    }
  }

  /** Reads the bytes of the signals that have arrived. */
  read(): Uint8Array {
    const count = read(this.fd, this.#buffer);
    return this.#buffer.slice(0, Math.max(count, 0));
  }

  /** Closes the pipe, and ends the worker. */
  close(): void {
    close(this.fd);
    if (this.#worker === null) return close(this.#wakeFd);
    // The worker may write until it has ended: its descriptor must not be reused.
    this.#worker.terminate().then(() => close(this.#wakeFd));
  }
}
