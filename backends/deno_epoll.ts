/**
 * Finds what Deno's own loop waits with, so that a reactor can tell whether Deno
 * has something to do without asking Deno.
 *
 * An epoll instance can be watched like any other descriptor: it is readable
 * while one of those that it watches is ready (epoll(7), "nested"). Which of a
 * process's instances is Deno's, in this thread, the kernel tells in
 * `/proc/self/fdinfo` (proc_pid_fdinfo(5)): it is the one that watches a socket
 * that was given to Deno. Nothing of Deno's is changed by watching it.
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

/** Up to here Deno's selector is looked for, a tenth of a microsecond for each number. */
const LARGEST_FD = 0xffff;

/** How much is read of a `fdinfo`: Deno watches little more than the socket so early. */
const LONGEST_FDINFO = 64 * 1024;

/** The epoll instance of Deno's loop. */
export class DenoSelector {
  /** Readable while Deno has I/O to do. */
  readonly fd: number;
  readonly #pollfd = new PollFds(1);

  private constructor(fd: number) {
    this.fd = fd;
    this.#pollfd.set(0, fd, POLLIN);
  }

  /**
   * The selector that watches a descriptor.
   *
   * @param watched A descriptor that Deno watches in this thread
   * @param unwatched One that nobody watches
   * @returns null on a system without epoll, or without `/proc`
   */
  static find(watched: number, unwatched: number): DenoSelector | null {
    if (epollEventLayout(system()) === null) return null;
    const line = new RegExp(`^tfd:\\s+${watched}\\s`, "m");
    for (let fd = 0; fd < LARGEST_FD; fd++) {
      if (isEpoll(fd, unwatched) && line.test(fdinfo(fd))) {
        return new DenoSelector(fd);
      }
    }
    return null;
  }

  /** Whether Deno has I/O to do. */
  get ready(): boolean {
    return pollOnce(this.#pollfd, 1, 0) > 0;
  }
}

/** Whether a descriptor is an epoll instance: it then has to look for what is not there. */
function isEpoll(fd: number, unwatched: number): boolean {
  const result = libc().epoll_ctl!(fd, EPOLL_CTL_DEL, unwatched, null);
  return -result === system().errno.ENOENT;
}

/** What the kernel tells of a descriptor; nothing, if it is not open. */
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
