/**
 * An inotify instance of the kernel: its descriptor and its watches by number.
 *
 * @module
 */

import { bindCalls, cString } from "../../backends/ffi/calls.ts";
import { close, read, WOULD_BLOCK } from "../../backends/ffi/descriptor.ts";
import { isSystemError, systemError } from "../../backends/ffi/errors.ts";
import {
  IN_ATTRIB,
  IN_CLOEXEC_NONBLOCK,
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_DONT_FOLLOW,
  IN_MODIFY,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_ONLYDIR,
} from "./events.ts";

/** Every change of a file. A symbolic link is a file itself, and not followed. */
const MASK = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM |
  IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
  IN_DONT_FOLLOW;

const BUFFER_BYTES = 65536;

/** The largest `struct inotify_event`: its header, and NAME_MAX and a NUL. */
const MOST_EVENT_BYTES = 16 + 256;

/** The functions of <sys/inotify.h>. */
const CALLS = {
  // int inotify_init1(int flags)
  inotify_init1: { parameters: ["i32"], result: "i32" },
  // int inotify_add_watch(int fd, const char *pathname, uint32_t mask)
  inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int inotify_rm_watch(int fd, int wd)
  inotify_rm_watch: { parameters: ["i32", "i32"], result: "i32" },
} as const;

/** The bytes of some events, as read(2) returns them. */
export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the kernel had no further events. */
  readonly isLast: boolean;
}

/** An inotify instance. */
export class Instance {
  readonly #calls = bindCalls(CALLS);
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** Its descriptor. */
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

  /** Reads events. A read that leaves room for the largest event has read all. */
  read(): Batch {
    const length = read(this.fd, this.#buffer);
    return {
      bytes: this.#buffer.slice(0, length === WOULD_BLOCK ? 0 : length),
      isLast: length < BUFFER_BYTES - MOST_EVENT_BYTES,
    };
  }

  /**
   * Watches a path, and returns the watch descriptor, which identifies the file behind
   * the path: the same number under each of its names.
   *
   * @throws {SystemError} `ENOSPC` at the limit of watches, and others
   */
  watch(path: string, isDirectory: boolean): number {
    const mask = isDirectory ? MASK | IN_ONLYDIR : MASK;
    try {
      return this.#calls.inotify_add_watch(this.fd, cString(path), mask);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      const isLimit = error.code === "ENOSPC";
      const limit = isLimit
        ? " (the limit is fs.inotify.max_user_watches)"
        : "";
      throw systemError(error.syscall, error.errno, `${path}${limit}`);
    }
  }

  /** Removes a watch, unless the kernel has removed it already. */
  unwatch(wd: number): void {
    try {
      this.#calls.inotify_rm_watch(this.fd, wd);
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EINVAL") throw error;
    }
  }
}

/** Whether a file was deleted, or replaced by another type, before it was watched. */
export function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory;
}

/** Whether a directory may not be read, or its path is longer than a call may take. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    (isSystemError(error) && error.code === "ENAMETOOLONG");
}
