/**
 * A descriptor from elsewhere, which is used without blocking, and without a change
 * that others would notice.
 *
 * O_NONBLOCK belongs to the open file, not to the descriptor. Standard input shares its
 * open file with the shell: a program that makes it non-blocking breaks the programs
 * that read it later. So a blocking descriptor stays as it is. Each kind has its way:
 *
 * | Kind                            | Way                                                |
 * | ------------------------------- | -------------------------------------------------- |
 * | non-blocking, or a regular file | read(2) and write(2)                               |
 * | socket                          | recv(2) and send(2) with MSG_DONTWAIT              |
 * | pipe, FIFO, terminal on Linux   | opened again: an open file of its own               |
 * | all others                      | poll(2) before each call                           |
 *
 * The path `/proc/self/fd/N` opens the file behind a descriptor again (proc(5)). Other
 * devices than terminals are not opened again, because that creates another queue or,
 * with `/dev/ptmx`, another terminal. The system refuses the write end of a pipe without
 * a reader, and the terminal of another user: they are polled as well.
 *
 * After poll(2) a call does not block, as long as no other program takes the bytes or
 * the room in between.
 *
 * @module
 */

import { notifyClose } from "./close_watch.ts";
import { system } from "./current_system.ts";
import {
  close,
  isBlocking,
  retrying,
  WOULD_BLOCK,
  wouldBlock,
} from "./descriptor.ts";
import { isSystemError } from "./errors.ts";
import { statusOf } from "./file_status.ts";
import { libc } from "./libc.ts";
import { checkMemory } from "./memory.ts";
import { checkOpenedFor, openedMode, OpenFile } from "./open_file.ts";
import { type FileMode, openFile } from "./open_path.ts";
import { quietly } from "./socket_fd.ts";
import { PollFds } from "./structs/pollfd.ts";
import {
  fileType,
  S_IFBLK,
  S_IFIFO,
  S_IFREG,
  S_IFSOCK,
} from "./structs/stat.ts";
import { isTerminal } from "./terminal.ts";

/** `<poll.h>`: the same on every system. */
const POLLIN = 0x1;
const POLLOUT = 0x4;
const POLLHUP = 0x10;

/**
 * Takes over a descriptor, and uses it without blocking. Its number stays; the open file
 * behind it may be another one afterwards.
 *
 * @param mode The directions that are used. Default: those that it was opened for
 * @throws as the constructor of `OpenFile`
 */
export function sharedFile(
  fd: number,
  mode: FileMode = openedMode(fd),
): OpenFile {
  checkOpenedFor(fd, mode);
  const type = fileType(statusOf(fd).mode);
  if (!isBlocking(fd) || type === S_IFREG || type === S_IFBLK) {
    return new OpenFile(fd, mode);
  }
  if (type === S_IFSOCK) return new SocketFile(fd, mode);
  if (type === S_IFIFO) return openAgain(fd, mode) ?? new PolledFile(fd, mode);
  if (!isTerminal(fd)) return new PolledFile(fd, mode);
  return (isMaster(fd) ? null : openAgain(fd, mode)) ??
    new PolledFile(fd, mode, MOST_TO_TERMINAL);
}

/** Whether a terminal is the master of a pair: it would be opened as another pair. */
function isMaster(terminal: number): boolean {
  const { ptsname_r } = libc();
  const name = new Uint8Array(64);
  return ptsname_r === null || ptsname_r(terminal, name, name.length) === 0;
}

/**
 * Gives a descriptor an open file of its own, which is non-blocking.
 *
 * @returns null if the system refuses, or does not open a file again
 */
function openAgain(fd: number, mode: FileMode): OpenFile | null {
  const { dup3 } = libc();
  if (system().os !== "linux" || dup3 === null) return null;
  const own = openedAgain(fd, mode);
  if (own === -1) return null;
  try {
    if (!isSameFile(own, fd) || isHungUp(fd)) return null;
    notifyClose(fd);
    retrying("dup3", () => dup3(own, fd, system().constants.O_CLOEXEC));
    return new OpenFile(fd, mode);
  } finally {
    close(own);
  }
}

function openedAgain(fd: number, mode: FileMode): number {
  try {
    return openFile(`/proc/self/fd/${fd}`, mode);
  } catch (error) {
    if (isSystemError(error)) return -1;
    throw error;
  }
}

/** Without a real /proc, its paths may lead anywhere. */
function isSameFile(left: number, right: number): boolean {
  const [a, b] = [statusOf(left), statusOf(right)];
  return a.device === b.device && a.inode === b.inode;
}

/**
 * Whether the other side has left. A FIFO that is opened after its last writer has left
 * never reports the end of file: it waits for the next writer.
 */
function isHungUp(fd: number): boolean {
  return (polled(fd, 0) & POLLHUP) !== 0;
}

const pollfd = new PollFds(1);

/** The POLL* bits of a descriptor now. */
function polled(fd: number, events: number): number {
  pollfd.set(0, fd, events);
  const count = libc().poll(pollfd.bytes, 1, 0);
  // An interrupted call is repeated after the next event.
  if (count < 0) wouldBlock("poll", -count);
  return count > 0 ? pollfd.returned(0) : 0;
}

/**
 * The most bytes of one write to a blocking terminal. Linux reports one as writable from
 * 256 bytes of room (`__tty_buffer_request_room()`, `n_tty_poll()`), and a line feed may
 * become two of them.
 */
const MOST_TO_TERMINAL = 128;

/** A blocking descriptor with poll(2) before each call. */
export class PolledFile extends OpenFile {
  readonly #mostToWrite: number;

  /**
   * Takes over a descriptor.
   *
   * @param most The most bytes of one write. Default: as many as a pipe has room for
   * @throws as the constructor of `OpenFile`
   */
  constructor(
    fd: number,
    mode: FileMode,
    most: number = system().constants.PIPE_BUF,
  ) {
    super(fd, mode);
    this.#mostToWrite = most;
  }

  override read(buffer: Uint8Array<ArrayBuffer>): number {
    return polled(this.fd, POLLIN) === 0 ? WOULD_BLOCK : super.read(buffer);
  }

  override write(
    data: Uint8Array<ArrayBuffer>,
    length: number = data.length,
  ): number {
    if (polled(this.fd, POLLOUT) === 0) return WOULD_BLOCK;
    return super.write(data, Math.min(length, this.#mostToWrite));
  }
}

/** A blocking socket with MSG_DONTWAIT in each call. */
export class SocketFile extends OpenFile {
  override read(buffer: Uint8Array<ArrayBuffer>): number {
    const length = checkMemory(buffer, buffer.length);
    const { MSG_DONTWAIT } = system().constants;
    for (;;) {
      const count = libc().recv(this.fd, buffer, length, MSG_DONTWAIT);
      if (count >= 0) return count;
      if (wouldBlock("recv", -count)) return WOULD_BLOCK;
    }
  }

  override write(
    data: Uint8Array<ArrayBuffer>,
    length: number = data.length,
  ): number {
    const bytes = checkMemory(data, length);
    const flags = quietly(system().constants.MSG_DONTWAIT);
    for (;;) {
      const count = libc().send(this.fd, data, bytes, flags);
      if (count >= 0) return count;
      if (wouldBlock("send", -count)) return WOULD_BLOCK;
    }
  }
}
