/**
 * Watches files and directory trees on Linux.
 *
 * @module
 */

import { read } from "../../backends/ffi/descriptor.ts";
import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import {
  type FileEvent,
  IN_IGNORED,
  IN_ISDIR,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_Q_OVERFLOW,
  type InotifyEvent,
  parseEvents,
  type RawEvent,
  typeOf,
} from "./events.ts";
import { type Found, isGone, type Watch, Watches } from "./watches.ts";

const BUFFER_BYTES = 65536;

/** How long the second event of a move may take, in milliseconds. */
const MOVE_TIMEOUT = 20;

/** Options of `Inotify.watch`. */
export interface InotifyWatchOptions {
  /** Whether to watch all directories below, also those of later. Default: false. */
  readonly recursive?: boolean;
}

const WATCH_OPTIONS: OptionNames<InotifyWatchOptions> = { recursive: true };

/** The largest `struct inotify_event`: its header, and NAME_MAX and a NUL. */
const MOST_EVENT_BYTES = 16 + 256;

/** The reason of a wait for the second half of a move that does not come. */
const EXPIRED = new Deno.errors.TimedOut();

/** The first half of a move. Later events stay behind it until the second half. */
interface Departure {
  readonly type: "departure";
  readonly cookie: number;
  readonly event: FileEvent;
  /** The watches that move with it. */
  readonly watches: readonly Watch[];
}

/**
 * Watches files and directory trees on Linux, by inotify(7). Iterate over it for the
 * events: nothing is read while you handle one, and the kernel keeps 16,384.
 *
 * A symbolic link is watched itself, and not followed. In a new directory, an entry
 * may be older than the watch. It is reported as `create` alone. If directories are
 * replaced faster than you iterate, an event may have a path that is out of date.
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
  readonly #watches = new Watches();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #events: (InotifyEvent | Departure)[] = [];
  /** Entries reported by a look at a directory, whose events may still come. */
  readonly #reported = new Set<string>();
  #wait: AbortController | null = null;
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
    this.#watches.add(trimmed(path), isDirectory, recursive);
  }

  /** Stops watching a path and, after `recursive`, the directories below. */
  unwatch(path: string): void {
    this.#checkOpen();
    this.#watches.remove(this.#watches.below(trimmed(path)));
  }

  /** Removes all watches, and ends the iteration. A second call has no effect. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wait?.abort();
    this.#watches.close();
  }

  /** Closes it at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Waits for events until `close()`. One iteration at a time. */
  async *[Symbol.asyncIterator](): AsyncGenerator<InotifyEvent, void> {
    while (!this.#closed) {
      const event = this.#events[0];
      if (event === undefined || event.type === "departure") {
        await this.#fetch(event !== undefined);
      } else {
        this.#events.shift();
        yield event;
      }
    }
  }

  /** Waits for events and reads them. @param expires Whether a move is incomplete */
  async #fetch(expires: boolean): Promise<void> {
    const wait = this.#wait = new AbortController();
    const timer = expires
      ? this.#reactor.callLater(MOVE_TIMEOUT, () => wait.abort(EXPIRED))
      : null;
    try {
      await this.#reactor.readable(this.#watches.fd, { signal: wait.signal });
      if (!this.#closed) this.#read();
    } catch (error) {
      if (error === EXPIRED) this.#endDepartures();
      else if (!this.#closed) throw error;
    } finally {
      timer?.cancel();
      this.#wait = null;
    }
  }

  #read(): void {
    const earlier = [...this.#reported];
    const length = read(this.#watches.fd, this.#buffer);
    if (length < 0) return;
    for (const raw of parseEvents(this.#buffer.slice(0, length))) {
      this.#add(raw);
    }
    const isDrained = length < BUFFER_BYTES - MOST_EVENT_BYTES;
    if (isDrained) { for (const path of earlier) this.#reported.delete(path); }
  }

  #add(raw: RawEvent): void {
    if ((raw.mask & IN_Q_OVERFLOW) !== 0) {
      this.#endDepartures();
      this.#events.push({ type: "overflow" });
      return;
    }
    const watch = this.#watches.get(raw.wd);
    if ((raw.mask & IN_IGNORED) !== 0) this.#watches.delete(raw.wd);
    else if (watch !== undefined) this.#addTo(watch, raw);
  }

  #addTo(watch: Watch, { mask, cookie, name }: RawEvent): void {
    const isOwn = name === "";
    const path = isOwn ? watch.path : `${watch.path}/${name}`;
    const isDirectory = isOwn ? watch.isDirectory : (mask & IN_ISDIR) !== 0;
    if ((mask & IN_MOVED_FROM) !== 0) {
      const event = { type: "delete", path, isDirectory } as const;
      const watches = isDirectory ? this.#watches.below(path) : [];
      this.#reported.delete(path);
      this.#events.push({ type: "departure", cookie, event, watches });
      return;
    }
    if ((mask & IN_MOVED_TO) !== 0) {
      return this.#arrive(watch, path, isDirectory, cookie);
    }
    // The directory above reports the events of a directory below.
    const type = isOwn && !watch.isRoot ? null : typeOf(mask);
    if (type === null) return;
    if (type === "create") return this.#create(watch, path, isDirectory);
    if (type === "delete") this.#reported.delete(path);
    this.#events.push({ type, path, isDirectory });
  }

  /** Joins the two halves of a move, or reports the second as a new entry. */
  #arrive(
    watch: Watch,
    path: string,
    isDirectory: boolean,
    cookie: number,
  ): void {
    const index = this.#events.findIndex((event) =>
      event.type === "departure" && event.cookie === cookie
    );
    if (index < 0) return this.#create(watch, path, isDirectory);
    const { event, watches } = this.#events[index] as Departure;
    const from = event.path;
    for (const moved of watches) {
      moved.path = path + moved.path.slice(from.length);
    }
    // A look may have reported the new path already.
    const isReported = this.#reported.delete(path);
    this.#events[index] = isReported
      ? event
      : { type: "move", from, path, isDirectory };
    // A directory may not have been watched at its former path.
    if (isDirectory && watch.recursive) {
      this.#watchBelow(path, !isReported && watches.length === 0);
    }
  }

  #create(watch: Watch, path: string, isDirectory: boolean): void {
    if (this.#reported.delete(path)) return;
    this.#events.push({ type: "create", path, isDirectory });
    if (isDirectory && watch.recursive) this.#watchBelow(path, true);
  }

  /** Watches a new directory, and reports the entries that it has already. */
  #watchBelow(path: string, reports: boolean): void {
    const found: Found[] = [];
    try {
      this.#watches.addTree(path, found);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    if (!reports) return;
    for (const entry of found) {
      this.#reported.add(entry.path);
      this.#events.push({ type: "create", ...entry });
    }
  }

  /** Reports entries that have left the watched paths as deleted. */
  #endDepartures(): void {
    this.#events.forEach((event, index) => {
      if (event.type !== "departure") return;
      this.#watches.remove(event.watches);
      this.#events[index] = event.event;
    });
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new Deno.errors.BadResource("Inotify is closed");
  }
}

/** A path without a slash at its end. */
function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}
