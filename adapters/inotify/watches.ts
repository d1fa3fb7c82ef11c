/**
 * The watches of an inotify instance, which follow a tree as it changes.
 *
 * @module
 */

import { bindCalls, cString } from "../../backends/ffi/calls.ts";
import { close } from "../../backends/ffi/descriptor.ts";
import {
  IN_ATTRIB,
  IN_CLOEXEC_NONBLOCK,
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_DONT_FOLLOW,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
} from "./events.ts";

/** Every change of a file. A symbolic link is a file itself, and not followed. */
const MASK = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM |
  IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_DONT_FOLLOW;

/** The functions of <sys/inotify.h>. */
const CALLS = {
  // int inotify_init1(int flags)
  inotify_init1: { parameters: ["i32"], result: "i32" },
  // int inotify_add_watch(int fd, const char *pathname, uint32_t mask)
  inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int inotify_rm_watch(int fd, int wd)
  inotify_rm_watch: { parameters: ["i32", "i32"], result: "i32" },
} as const;

/** A watched file or directory. */
export interface Watch {
  readonly wd: number;
  path: string;
  readonly isDirectory: boolean;
  readonly recursive: boolean;
  /** Whether the user has asked for it, rather than for a directory above it. */
  readonly isRoot: boolean;
}

/** An entry that was found in a directory when its watch was added. */
export interface Found {
  readonly path: string;
  readonly isDirectory: boolean;
}

/** An inotify instance, with its watches by watch descriptor. */
export class Watches {
  readonly #calls = bindCalls(CALLS);
  readonly #byWd = new Map<number, Watch>();
  /** The descriptor of the instance. */
  readonly fd: number;

  /** @throws {SystemError} `EMFILE` at the limit of instances, and others */
  constructor() {
    try {
      this.fd = this.#calls.inotify_init1(IN_CLOEXEC_NONBLOCK);
    } catch (error) {
      this.#calls[Symbol.dispose]();
      throw error;
    }
  }

  /** Closes the instance, which removes all watches. */
  close(): void {
    close(this.fd);
    this.#calls[Symbol.dispose]();
  }

  /** The watch with this descriptor. */
  get(wd: number): Watch | undefined {
    return this.#byWd.get(wd);
  }

  /** Forgets a watch that the kernel has removed. */
  delete(wd: number): void {
    this.#byWd.delete(wd);
  }

  /**
   * Adds a watch for a path that the user has named.
   *
   * @throws {SystemError} if the path cannot be watched
   */
  add(path: string, isDirectory: boolean, recursive: boolean): void {
    this.#set({ path, isDirectory, recursive, isRoot: true });
    if (recursive) this.#addBelow(path, []);
  }

  /**
   * Adds watches for a directory and all directories below.
   *
   * @param found Is filled with the entries below
   * @throws {SystemError} if a directory cannot be watched
   */
  addTree(path: string, found: Found[]): void {
    this.#set({ path, isDirectory: true, recursive: true, isRoot: false });
    this.#addBelow(path, found);
  }

  #set(watch: Omit<Watch, "wd">): void {
    const path = cString(watch.path);
    const wd = this.#calls.inotify_add_watch(this.fd, path, MASK);
    const isRoot = watch.isRoot || (this.#byWd.get(wd)?.isRoot ?? false);
    this.#byWd.set(wd, { ...watch, wd, isRoot });
  }

  /** Removes watches. */
  remove(watches: readonly Watch[]): void {
    for (const { wd } of watches) {
      this.#byWd.delete(wd);
      try {
        this.#calls.inotify_rm_watch(this.fd, wd);
      } catch (error) {
        // EINVAL: the kernel has removed it meanwhile.
        if ((error as { code?: string }).code !== "EINVAL") throw error;
      }
    }
  }

  /** The watches of a path and of everything below it. */
  below(path: string): Watch[] {
    return [...this.#byWd.values()].filter((watch) =>
      watch.path === path || watch.path.startsWith(`${path}/`)
    );
  }

  /** The watch comes before the look, so that no entry is missed in between. */
  #addBelow(directory: string, found: Found[]): void {
    for (const { name, isDirectory } of entriesOf(directory)) {
      const path = `${directory}/${name}`;
      found.push({ path, isDirectory });
      if (!isDirectory) continue;
      try {
        this.addTree(path, found);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
  }
}

/** The entries of a directory; none if it is gone. */
function entriesOf(directory: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(directory)];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Whether a file was deleted, or replaced by another type, before it was watched. */
export function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory;
}
