/**
 * Finds the epoll instance of Deno's event loop, to check for pending I/O of Deno
 * without a turn of its loop.
 *
 * An epoll instance can itself be watched: it is readable while one of its descriptors
 * is ready (epoll(7), question 3). `/proc/self/fdinfo` lists the descriptors of each
 * instance (proc_pid_fdinfo(5)). The instance of this thread's Deno is the one that
 * watches a descriptor that was passed to Deno. Watching it changes nothing in it.
 *
 * @module
 */

import { system } from "./ffi/current_system.ts";
import { close, read } from "./ffi/descriptor.ts";
import { libc, open } from "./ffi/libc.ts";
import { epollEventLayout } from "./ffi/structs/epoll_event.ts";
import { PollFds } from "./ffi/structs/pollfd.ts";
import { EPOLL_CTL_DEL } from "./epoll.ts";
import { POLLIN, pollOnce } from "./poll.ts";

/** Largest descriptor that is probed; each probe costs a tenth of a microsecond. */
const LARGEST_FD = 0xffff;

/** Bytes read of a `fdinfo`: so early, Deno watches few descriptors. */
const LONGEST_FDINFO = 64 * 1024;

/** The epoll instance of Deno's loop. */
export class DenoEpoll {
  /** Readable while Deno has pending I/O. */
  readonly fd: number;
  readonly #pollfd = new PollFds(1);

  private constructor(fd: number) {
    this.fd = fd;
    this.#pollfd.set(0, fd, POLLIN);
  }

  /**
   * Finds the epoll instance that watches a descriptor.
   *
   * @param watched A descriptor that Deno watches in this thread
   * @param unwatched An open descriptor that no epoll instance watches
   * @returns null on a system without epoll, or without `/proc`
   */
  static find(watched: number, unwatched: number): DenoEpoll | null {
    if (epollEventLayout(system()) === null) return null;
    const line = new RegExp(`^tfd:\\s+${watched}\\s`, "m");
    for (let fd = 0; fd < LARGEST_FD; fd++) {
      if (isEpoll(fd, unwatched) && line.test(fdinfo(fd))) {
        return new DenoEpoll(fd);
      }
    }
    return null;
  }

  /** Whether Deno has pending I/O. */
  get ready(): boolean {
    return pollOnce(this.#pollfd, 1, 0) > 0;
  }
}

/** Probes a descriptor: EPOLL_CTL_DEL of an unwatched one gives ENOENT on an epoll instance only. */
function isEpoll(fd: number, unwatched: number): boolean {
  const result = libc().epoll_ctl!(fd, EPOLL_CTL_DEL, unwatched, null);
  return -result === system().errno.ENOENT;
}

/** Reads the kernel's description of a descriptor; "" if it is not open. */
function fdinfo(fd: number): string {
  const path = new TextEncoder().encode(`/proc/self/fdinfo/${fd}\0`);
  const { O_CLOEXEC } = system().constants;
  const file = open(path, O_CLOEXEC);
  if (file < 0) return "";
  try {
    const buffer = new Uint8Array(new ArrayBuffer(LONGEST_FDINFO));
    const length = read(file, buffer);
    return new TextDecoder().decode(buffer.subarray(0, length));
  } finally {
    close(file);
  }
}
