/**
 * A `/dev/poll` for systems without one. It reads and writes the same bytes as the
 * driver of illumos (`uts/common/io/devpoll.c`), on poll(2).
 */

import type { DevPollCalls } from "../backends/devpoll.ts";
import { close, pipe, read, write } from "../backends/ffi/descriptor.ts";
import { openFile } from "../backends/ffi/open_path.ts";
import { PollFds, posixPollfd } from "../backends/ffi/structs/pollfd.ts";
import { system } from "../backends/ffi/current_system.ts";
import { POLLIN, pollOnce, pollParked } from "../backends/poll.ts";

/** `<sys/poll.h>` of illumos. */
const POLLREMOVE = 0x800;

/** A decoded `struct dvpoll`. */
interface Request {
  readonly fds: DataView;
  readonly capacity: number;
  readonly timeout: number;
}

/** One open `/dev/poll`. */
class OpenFile {
  /** The events of each descriptor. */
  readonly interest = new Map<number, number>();
  /** A write of interest ends a wait on another thread by this pipe. */
  readonly wake = pipe();
}

/** The system calls of `DevPoll`, for any number of open files. */
export class DevPollStandIn implements DevPollCalls {
  readonly POLLREMOVE = POLLREMOVE;
  readonly #files = new Map<number, OpenFile>();

  open(): number {
    const fd = openFile("/dev/null", "r+");
    this.#files.set(fd, new OpenFile());
    return fd;
  }

  close(fd: number): void {
    for (const end of this.#file(fd).wake) close(end);
    this.#files.delete(fd);
    close(fd);
  }

  write(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
    const { interest, wake } = this.#file(fd);
    if (bytes.byteLength % posixPollfd.size !== 0) return failure("EINVAL");
    const view = new DataView(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
    for (let start = 0; start < bytes.byteLength; start += posixPollfd.size) {
      const watched = view.getInt32(start, true);
      const events = view.getUint16(start + 4, true);
      if (events === POLLREMOVE) interest.delete(watched);
      else interest.set(watched, (interest.get(watched) ?? 0) | events);
    }
    write(wake[1], new Uint8Array(1));
    return bytes.byteLength;
  }

  poll(fd: number, dvpoll: Uint8Array<ArrayBuffer>): number {
    const { interest } = this.#file(fd);
    const { timeout, ...answer } = decodeRequest(dvpoll);
    const fds = pollFdsOf(interest);
    const milliseconds = timeout === -1 ? Infinity : timeout;
    const count = pollOnce(fds, interest.size, milliseconds);
    if (count === -1) return failure("EINTR");
    return copyReady(fds, interest.size, answer);
  }

  async pollParked(
    fd: number,
    dvpoll: Uint8Array<ArrayBuffer>,
  ): Promise<number> {
    const file = this.#file(fd);
    const { timeout, ...answer } = decodeRequest(dvpoll);
    const deadline = timeout === -1 ? Infinity : performance.now() + timeout;
    for (;;) {
      const { size } = file.interest;
      const fds = pollFdsOf(file.interest, size + 1);
      read(file.wake[0], new Uint8Array(64));
      fds.set(size, file.wake[0], POLLIN);
      await pollParked(fds, size + 1, deadline - performance.now(), true);
      if (this.#files.get(fd) !== file) return failure("EBADF");
      const count = copyReady(fds, size, answer);
      if (count > 0 || performance.now() >= deadline) return count;
    }
  }

  #file(fd: number): OpenFile {
    const file = this.#files.get(fd);
    if (file === undefined) throw new Error(`${fd} is no open /dev/poll`);
    return file;
  }
}

/** The result of a failed call. */
function failure(code: string): number {
  return -system().errno[code]!;
}

/** `pollfd_t *dp_fds; nfds_t dp_nfds; int dp_timeout;` in 24 of 32 bytes. */
function decodeRequest(dvpoll: Uint8Array<ArrayBuffer>): Request {
  if (dvpoll.byteLength !== 32) throw new Error("struct dvpoll has 32 bytes");
  const view = new DataView(dvpoll.buffer, dvpoll.byteOffset, 32);
  const pointer = Deno.UnsafePointer.create(view.getBigUint64(0, true))!;
  const capacity = Number(view.getBigUint64(8, true));
  const memory = Deno.UnsafePointerView.getArrayBuffer(
    pointer,
    capacity * posixPollfd.size,
  );
  return {
    fds: new DataView(memory),
    capacity,
    timeout: view.getInt32(16, true),
  };
}

function pollFdsOf(
  interest: ReadonlyMap<number, number>,
  capacity: number = interest.size,
): PollFds {
  const fds = new PollFds(Math.max(capacity, 1));
  let index = 0;
  for (const [fd, events] of interest) fds.set(index++, fd, events);
  return fds;
}

/** Copies the structs with returned events, as many as fit. */
function copyReady(
  found: PollFds,
  size: number,
  { fds, capacity }: Omit<Request, "timeout">,
): number {
  let count = 0;
  for (let index = 0; index < size && count < capacity; index++) {
    if (found.returned(index) === 0) continue;
    const start = count++ * posixPollfd.size;
    fds.setInt32(start, found.fd(index), true);
    fds.setUint16(start + 4, found.events(index), true);
    fds.setUint16(start + 6, found.returned(index), true);
  }
  return count;
}
