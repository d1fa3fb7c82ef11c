/**
 * Signals as callbacks of the loop, also while `run()` has the thread to itself.
 *
 * Deno calls its signal listeners from its own loop, which does not turn during
 * `run()`. A worker has a loop of its own, which always turns: it hears the
 * signals, and writes a byte for each into a pipe that the reactor watches.
 * That is the self-pipe trick, with a thread in the place of the handler.
 *
 * @module
 */

import { close, pipe, read, WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import { libraryPath } from "../backends/ffi/library.ts";
import { PollSelector } from "../backends/poll_selector.ts";
import { EVENT_READ, type FileObject } from "../backends/selector.ts";
import type { Loop } from "./loop.ts";
import { DESTROY, type Owned, PLACE } from "./owned.ts";

/** A signal that is being watched. */
export interface SignalWatch extends Disposable {
  /** Ends the watch; false if it has ended already. */
  cancel(): boolean;
}

/** How long the worker may take to start, in milliseconds: about 100 is usual. */
const START_TIMEOUT = 10_000;

/** The byte by which the worker says that it has done what it was told. */
const DONE = 0;

/** What is used of a `Worker` of `node:worker_threads`: unlike the web's, it can be unreferenced. */
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

/** What runs in the worker. It sees nothing of this file: its text is what is sent. */
function listen(library: string, wakeFd: number): void {
  const { symbols } = Deno.dlopen(library, {
    write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  });
  // A byte that does not fit is lost with its number: the pipe has plenty to tell.
  const say = (byte: number): number =>
    // deno-lint-ignore pollux/bare-symbol
    symbols.write(wakeFd, Uint8Array.of(byte), 1);
  const listeners = new Map<Deno.Signal, () => void>();
  addEventListener("message", (event) => {
    const { signal, byte } = (event as MessageEvent).data;
    const known = listeners.get(signal);
    if (known === undefined) {
      const listener = (): void => void say(byte);
      listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    } else {
      listeners.delete(signal);
      Deno.removeSignalListener(signal, known);
    }
    say(0);
  });
}

function startWorker(wakeFd: number): Listener {
  const { process } = globalThis as unknown as { process: NodeProcess };
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const library = JSON.stringify(libraryPath());
  const program = `(${listen})(${library}, ${wakeFd})`;
  const url = `data:text/javascript,${encodeURIComponent(program)}`;
  const worker = new Worker(new URL(url));
  worker.unref();
  return worker;
}

/** All signals that one reactor watches: one worker, one pipe. */
export class Signals implements Owned {
  /** Where the reactor keeps this. */
  [PLACE] = -1;
  /** The end of the pipe that is watched. */
  readonly fd: number;
  readonly #wakeFd: number;
  readonly #loop: Loop;
  readonly #worker: Listener;
  /** The callbacks of each signal, by the byte that stands for it. */
  readonly #callbacks: Set<() => void>[] = [];
  readonly #bytes = new Map<Deno.Signal, number>();
  readonly #buffer = new Uint8Array(new ArrayBuffer(256));

  /** Made with the first signal that is watched. */
  constructor(loop: Loop) {
    this.#loop = loop;
    [this.fd, this.#wakeFd] = pipe();
    try {
      loop.own(this);
      loop.register(this, EVENT_READ, Signals.#onReady);
    } catch (error) {
      loop.disown(this);
      close(this.fd);
      close(this.#wakeFd);
      throw error;
    }
    loop.countUnreferenced(1);
    this.#worker = startWorker(this.#wakeFd);
  }

  /**
   * Watches a signal. It waits for the worker, so that no signal is missed that
   * comes after this has returned.
   */
  watch(signal: Deno.Signal, callback: () => void): SignalWatch {
    const byte = this.#byteOf(signal);
    const watchers = this.#callbacks[byte]!;
    if (watchers.size === 0) this.#toggle(signal, byte);
    // A function of its own for each watch: one callback may watch twice.
    const watcher = (): void => callback();
    watchers.add(watcher);
    const cancel = (): boolean => {
      if (!watchers.delete(watcher)) return false;
      if (watchers.size === 0) this.#toggle(signal, byte);
      return true;
    };
    return { cancel, [Symbol.dispose]: () => void cancel() };
  }

  /** Ends all watches: the reactor is closed. */
  [DESTROY](): void {
    for (const [signal, byte] of this.#bytes) {
      const watchers = this.#callbacks[byte]!;
      if (watchers.size === 0) continue;
      watchers.clear();
      this.#toggle(signal, byte);
    }
    this.#loop.forget(this);
    this.#loop.countUnreferenced(-1);
    close(this.fd);
    // Until the worker has ended it may write: the number must not be another's.
    this.#worker.terminate().then(() => close(this.#wakeFd));
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    (fileobj as Signals).#dispatch();
  };

  #dispatch(): void {
    const count = read(this.fd, this.#buffer);
    if (count === WOULD_BLOCK) return;
    for (const byte of this.#buffer.slice(0, count)) {
      for (const watcher of [...this.#callbacks[byte] ?? []]) {
        this.#loop.guard(watcher);
      }
    }
  }

  /** The byte that stands for a signal; 0 is taken. */
  #byteOf(signal: Deno.Signal): number {
    const known = this.#bytes.get(signal);
    if (known !== undefined) return known;
    const byte = this.#bytes.size + 1;
    this.#bytes.set(signal, byte);
    this.#callbacks[byte] = new Set();
    return byte;
  }

  /** Has the worker listen to a signal or, if it does, leave it to its default action. */
  #toggle(signal: Deno.Signal, byte: number): void {
    this.#worker.postMessage({ signal, byte });
    this.#awaitDone();
  }

  /** The worker starts on its own thread, whatever this one does meanwhile. */
  #awaitDone(): void {
    using selector = new PollSelector<null>();
    selector.register(this.fd, EVENT_READ, null);
    const one = new Uint8Array(new ArrayBuffer(1));
    const early: number[] = [];
    for (;;) {
      if (selector.select(START_TIMEOUT).length === 0) {
        throw new Deno.errors.TimedOut("Signal worker does not start");
      }
      if (read(this.fd, one) === 1 && one[0] === DONE) break;
      // A signal that was watched before came meanwhile: it is not forgotten.
      early.push(one[0]!);
    }
    for (const byte of early) {
      for (const watcher of this.#callbacks[byte] ?? []) {
        this.#loop.callSoon(watcher);
      }
    }
  }
}

/**
 * Refuses a signal that nobody can watch. Deno itself knows which there are; the
 * listener is gone at once.
 *
 * @throws {TypeError} if there is no such signal, or nobody can catch it
 */
export function checkSignal(signal: Deno.Signal): void {
  const nothing = (): void => {};
  Deno.addSignalListener(signal, nothing);
  Deno.removeSignalListener(signal, nothing);
}
