/**
 * Watches files and directory trees on Linux.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import type { Timer } from "../../reactor/timers.ts";
import { EventQueue } from "./event_queue.ts";
import type { InotifyEvent } from "./events.ts";
import { Instance } from "./instance.ts";
import { EventIteration } from "./iteration.ts";
import { WatchedTree } from "./tree.ts";

/** How long the second event of a move may take, in milliseconds. */
const MOVE_TIMEOUT = 20;

/** The reason of a wait for the second half of a move that does not come. */
const EXPIRED = new Deno.errors.TimedOut();

/** The reason of a wait whose iteration was left. */
const LEFT = new Deno.errors.Interrupted();

/** Options of `Inotify.watch`. */
export interface InotifyWatchOptions {
  /** Whether to watch all directories below, also those of later. Default: false. */
  readonly recursive?: boolean;
}

const WATCH_OPTIONS: OptionNames<InotifyWatchOptions> = { recursive: true };

/**
 * Watches files and directory trees on Linux, by inotify(7). Iterate over it for the
 * events: nothing is read while you handle one, and the kernel keeps
 * 16,384 by default.
 *
 * A program that applies the events in their order knows the same paths as the disk,
 * once it has read them all. Its knowledge may be older than the disk until then: the
 * file of an event may be gone when you open it.
 *
 * A watched path that is itself moved is a `delete`, and not watched any more. A move of
 * a directory above it is not reported.
 *
 * A symbolic link is watched itself, and not followed. A directory below that you may
 * not read is not watched, until its mode permits it. The same is true for a path of
 * 4,096 bytes or more, until a move shortens it. In a new directory, an entry may be
 * older than the watch. It is reported as `create` alone.
 *
 * @example
 * ```ts
 * import { Inotify } from "@pollux/reactor/inotify";
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "linux") {
 *   const directory = Deno.makeTempDirSync();
 *   await using reactor = new Reactor();
 *   reactor.serve();
 *   using watcher = new Inotify(reactor);
 *   watcher.watch(directory, { recursive: true });
 *   Deno.mkdirSync(`${directory}/below`);
 *   for await (const event of watcher) {
 *     if (event.type === "overflow") continue; // read the directory again
 *     assertEquals(event.path, `${directory}/below`);
 *     break;
 *   }
 *   Deno.removeSync(directory, { recursive: true });
 * }
 * ```
 */
export class Inotify implements AsyncIterable<InotifyEvent>, Disposable {
  readonly #reactor: Reactor;
  readonly #instance = new Instance();
  readonly #queue = new EventQueue(this.#instance);
  readonly #events: InotifyEvent[] = [];
  readonly #tree = new WatchedTree(this.#instance, this.#queue, this.#events);
  #wait: AbortController | null = null;
  /** Ends the wait for the second half of a move. */
  #timer: Timer | null = null;
  #closed = false;

  /**
   * Creates an inotify instance.
   *
   * @param reactor The reactor that waits for events; it has to be serving
   * @throws {Deno.errors.NotSupported} on other systems than Linux
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   * @throws {SystemError} `EMFILE` at the limit of instances, and others
   */
  constructor(reactor: Reactor) {
    this.#reactor = reactor;
  }

  /**
   * Watches a file or a directory. Entries that exist already are not reported.
   *
   * @param path The path, to which `--allow-read` is needed
   * @throws {Deno.errors.NotFound} if there is no such path
   * @throws {Deno.errors.BadResource} if this is closed
   * @throws {TypeError} if an option is unknown
   * @throws {SystemError} `ENOSPC` at the limit of watches, and others
   */
  watch(path: string, options: InotifyWatchOptions = {}): void {
    checkOptions(options, WATCH_OPTIONS);
    this.#checkOpen();
    const { isDirectory } = Deno.lstatSync(path);
    const recursive = isDirectory && (options.recursive ?? false);
    this.#tree.add(trimmed(path), isDirectory, recursive);
  }

  /**
   * Stops watching a path and, after `recursive`, the directories below. Paths below
   * that were passed to `watch()` themselves stay watched.
   */
  unwatch(path: string): void {
    this.#checkOpen();
    this.#tree.remove(trimmed(path));
  }

  /** Removes all watches, and ends the iteration. A second call has no effect. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#wait?.abort();
    this.#instance.close();
  }

  /** Closes it at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Waits for events until `close()`. One iteration at a time. */
  [Symbol.asyncIterator](): AsyncIterableIterator<InotifyEvent, void> {
    return new EventIteration({
      isClosed: () => this.#closed,
      take: () => this.#take(),
      fetch: () => this.#fetch(),
      interrupt: () => this.#wait?.abort(LEFT),
    });
  }

  #take(): InotifyEvent | undefined {
    const event = this.#events.shift();
    // You read the paths again from now on, so later entries have to be reported.
    if (event?.type === "overflow") this.#tree.reportAll();
    return event;
  }

  async #fetch(): Promise<void> {
    if (!this.#tree.isUnfinished) await this.#waitForEvents();
    if (!this.#closed) this.#tree.update();
  }

  /** Waits for events, or for the second half of a move that does not come. */
  async #waitForEvents(): Promise<void> {
    const wait = this.#wait = new AbortController();
    if (this.#queue.isIncomplete) this.#expireLater();
    try {
      const { fd } = this.#instance;
      await this.#reactor.readable(fd, { signal: wait.signal });
    } catch (error) {
      const isEnd = error === EXPIRED || error === LEFT || this.#closed;
      if (!isEnd) throw error;
    } finally {
      this.#wait = null;
    }
  }

  #expireLater(): void {
    if (this.#timer !== null) return;
    const { position } = this.#queue;
    this.#timer = this.#reactor.callLater(MOVE_TIMEOUT, () => {
      this.#timer = null;
      this.#queue.expire(position);
      this.#wait?.abort(EXPIRED);
    });
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new Deno.errors.BadResource("Inotify is closed");
  }
}

/** A path without a slash at its end. */
function trimmed(path: string): string {
  return path.replace(/(.)\/+$/, "$1");
}
