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
import { epollEventLayout, EpollEvents } from "./ffi/structs/epoll_event.ts";
import { PollFds } from "./ffi/structs/pollfd.ts";
import { EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLIN } from "./epoll.ts";
import { POLLIN, pollOnce } from "./poll.ts";

/** Largest descriptor that is probed; each probe costs a tenth of a microsecond. */
const LARGEST_FD = 0xffff;

/** Bytes read of a `fdinfo`: so early, Deno watches few descriptors. */
const LONGEST_FDINFO = 64 * 1024;

/** The epoll instance of Deno's loop. */
export class DenoEpoll {
  /** Readable while Deno has pending I/O. */
  readonly fd: number;
  readonly #watched: Watched;
  readonly #pollfd = new PollFds(1);

  private constructor(fd: number, watched: Watched) {
    this.fd = fd;
    this.#watched = watched;
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
    for (let fd = 0; fd < LARGEST_FD; fd++) {
      if (!isEpoll(fd, unwatched)) continue;
      const found = watchedBy(fd, watched);
      if (found !== null) return new DenoEpoll(fd, found);
    }
    return null;
  }

  /**
   * Has the instance leave out that the descriptor of `find()` is writable. Each read of
   * an eventfd makes it writable anew, and the instance ready. Its user data stays.
   *
   * @returns false if the system refuses
   */
  ignoreWrites(): boolean {
    const { fd, low, high } = this.#watched;
    const change = new EpollEvents(epollEventLayout(system())!, 1);
    change.set(0, (EPOLLIN | EPOLLET) >>> 0, low, high);
    return libc().epoll_ctl!(this.fd, EPOLL_CTL_MOD, fd, change.bytes) === 0;
  }

  /** Whether Deno has pending I/O. */
  get ready(): boolean {
    return pollOnce(this.#pollfd, 1, 0) > 0;
  }
}

/** A descriptor that an instance watches, and its user data, in two words. */
interface Watched {
  readonly fd: number;
  readonly low: number;
  readonly high: number;
}

/** Finds a descriptor among those of an epoll instance; null if it is not there. */
function watchedBy(epoll: number, fd: number): Watched | null {
  const line = new RegExp(`^tfd:\\s+${fd}\\s.*\\bdata:\\s*([0-9a-f]+)`, "m");
  const data = line.exec(fdinfo(epoll))?.[1]?.padStart(16, "0");
  if (data === undefined) return null;
  const [low, high] = [data.slice(8), data.slice(0, 8)].map((word) =>
    parseInt(word, 16)
  );
  return { fd, low: low!, high: high! };
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
