/**
 * A descriptor that is ready to read once a process has ended: a pidfd on Linux, a
 * kqueue with one filter elsewhere.
 *
 * Some facts that explain the code:
 *
 * - The number of a process is free for another one once its parent has waited for it.
 *   A pidfd stays with its process, so a signal through it never reaches another.
 * - A kqueue knows numbers alone. The number of a child is safe until `waitpid()`.
 * - EVFILT_PROC refuses a child that has ended already.
 *
 * Sources: pidfd_open(2), pidfd_send_signal(2), kqueue(2), and libuv's
 * `src/unix/process.c` for the last fact. The filter has run on libkqueue, whose own
 * descriptor is never ready; the rest of the code for kqueue has never run.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { close, pipe, retrying } from "../../backends/ffi/descriptor.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import { processCalls } from "../../backends/ffi/process_calls.ts";
import { KqueueInstance } from "../../backends/kqueue.ts";
import { numbers, required, signalNumber } from "./numbers.ts";

/** A process, by a descriptor that is ready to read once it has ended. */
export interface ProcessDescriptor extends Disposable {
  /** The descriptor; -1 once closed. */
  readonly fd: number;
  /**
   * Sends a signal.
   *
   * @returns false if the process is gone
   * @throws {SystemError} `Deno.errors.PermissionDenied` for the process of another user
   */
  kill(signal: string): boolean;
  /** Closes the descriptor. A second call has no effect. */
  close(): void;
}

class PidFd implements ProcessDescriptor {
  #fd: number;

  constructor(pid: number, syscall: number) {
    const pidfd_open = required(processCalls.pidfd_open, "pidfd_open");
    const call = (): number => pidfd_open(BigInt(syscall), pid, 0);
    this.#fd = retrying("pidfd_open", call, `${pid}`);
  }

  get fd(): number {
    return this.#fd;
  }

  kill(signal: string): boolean {
    const { SYS_pidfd_send_signal } = numbers();
    const result = processCalls.pidfd_send_signal!(
      BigInt(SYS_pidfd_send_signal!),
      this.#fd,
      signalNumber(signal),
      null,
      0,
    );
    return wasSent("pidfd_send_signal", result, signal);
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd !== -1) close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const EV_ADD_ONESHOT = 0x1 | 0x10;

/** A kqueue with one filter. */
export class ProcessQueue implements ProcessDescriptor {
  readonly #pid: number;
  readonly #queue: KqueueInstance;
  /** Takes the place of the queue if the process has ended already. */
  #ended = -1;

  /** @param library The path of a libkqueue. Default: the kqueue of this system */
  constructor(
    pid: number,
    { EVFILT_PROC, NOTE_EXIT }: {
      readonly EVFILT_PROC: number | null;
      readonly NOTE_EXIT: number;
    },
    library?: string,
  ) {
    this.#pid = pid;
    this.#queue = new KqueueInstance(library === undefined ? {} : { library });
    const errno = this.#queue.tryChange(
      pid,
      EVFILT_PROC!,
      EV_ADD_ONESHOT,
      0,
      NOTE_EXIT,
    );
    if (errno === 0) return;
    this.#queue.close();
    if (errno !== system().errno.ESRCH || !isProcess(pid)) {
      throw systemError("kevent", errno, `${pid}`);
    }
    // The end of a pipe without a writer is ready to read.
    const [reader, writer] = pipe();
    close(writer);
    this.#ended = reader;
  }

  get fd(): number {
    return this.#ended === -1 ? this.#queue.fd : this.#ended;
  }

  kill(signal: string): boolean {
    const result = processCalls.kill(this.#pid, signalNumber(signal));
    return wasSent("kill", result, signal);
  }

  close(): void {
    this.#queue.close();
    const fd = this.#ended;
    this.#ended = -1;
    if (fd !== -1) close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Whether there is a process of this number, perhaps one that has ended. */
function isProcess(pid: number): boolean {
  return -processCalls.kill(pid, 0) !== system().errno.ESRCH;
}

function wasSent(syscall: string, result: number, signal: string): boolean {
  if (result >= 0) return true;
  if (-result === system().errno.ESRCH) return false;
  throw systemError(syscall, -result, signal);
}

/**
 * Opens the descriptor of a process.
 *
 * @throws {Deno.errors.NotSupported} without pidfd (before Linux 5.3) and kqueue
 * @throws {SystemError} `ESRCH` if there is no such process, `EMFILE`, and others
 */
export function openProcess(pid: number): ProcessDescriptor {
  const table = numbers();
  const { SYS_pidfd_open } = table;
  return SYS_pidfd_open === null
    ? new ProcessQueue(pid, table)
    : new PidFd(pid, SYS_pidfd_open);
}
