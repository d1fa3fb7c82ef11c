/**
 * AFD, the driver below Winsock, and completion ports: a wait of Windows that costs as
 * much as has happened.
 *
 * A completion port is a queue of packets, each of which says that a request has ended.
 * Most requests are reads and writes. But `select` and `WSAPoll` are requests to AFD,
 * too: an ioctl that takes a list of sockets, and ends at the first event. It can also be
 * made for one socket, without waiting for it. Its end is a packet then, as that of a
 * read would be. So a port collects the events of any number of sockets.
 *
 * Some facts about AFD, which explain the code above it:
 *
 * - A poll ends once. AFD keeps no registration. For level-triggered events another poll
 *   is started, which ends at once while the socket is ready. There are no edges.
 * - The kernel writes the result into the memory of the poll, at any time until its
 *   packet is removed. Until then that memory neither moves nor is used again.
 * - A poll cannot be changed. To wait for more events, start another: both end. To wait
 *   for fewer, ignore the others.
 * - A cancelled poll ends, and has a packet. One that has ended cannot be cancelled.
 * - Closing a socket ends its polls, with AFD_POLL_LOCAL_CLOSE.
 * - An event may be over when its packet is removed, if the program has read in between.
 * - A poll is started on a handle of AFD, and cancelling searches all polls of that
 *   handle. So each handle has 32 of them.
 * - AFD knows a socket by its base handle: see `base_handle.ts`.
 * - The end of a thread cancels the polls that it has started.
 *
 * Microsoft does not document AFD's ioctl. It has not changed since Windows Vista, and
 * `ws2_32.dll` uses it itself.
 *
 * `AfdInstance` is the system's interface for `AfdSelector`, `Afd` is for programs.
 *
 * Sources: wepoll's `README.md` and `src/afd.h`; ReactOS, `drivers/network/afd/afd/select.c`;
 * Wine, `server/sock.c`; "I/O Completion Ports" in the Windows documentation.
 *
 * @module
 */

import { checkTimeout, waitFully } from "./deadline.ts";
import { baseHandle } from "./ffi/base_handle.ts";
import { CompletionPort } from "./ffi/completion_port.ts";
import { fileDescriptor, type FileObject } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { addressOf } from "./ffi/libc.ts";
import {
  createHandle,
  isFailure,
  type Ntdll,
  ntdll,
  statusError,
} from "./ffi/ntdll.ts";
import {
  AfdPolls,
  IO_STATUS_BLOCK_BYTES,
  ObjectName,
} from "./ffi/structs/afd_poll.ts";

// AFD_POLL_*: ReactOS, `afd/shared.h`.

/** Data to read. */
export const AFD_POLL_RECEIVE = 0x001;
/** Urgent data to read. */
export const AFD_POLL_RECEIVE_EXPEDITED = 0x002;
/** Room to write; a connect has succeeded. */
export const AFD_POLL_SEND = 0x004;
/** The peer has half-closed the connection. */
export const AFD_POLL_DISCONNECT = 0x008;
/** The connection was reset. */
export const AFD_POLL_ABORT = 0x010;
/** The socket was closed here. */
export const AFD_POLL_LOCAL_CLOSE = 0x020;
/** A connection to accept. */
export const AFD_POLL_ACCEPT = 0x080;
/** A connect has failed. */
export const AFD_POLL_CONNECT_FAIL = 0x100;

const ALL_EVENTS = 0x1bf;

/** IOCTL_AFD_SELECT of ReactOS' `afd/shared.h`. */
const IOCTL_AFD_POLL = 0x12024;

// <ntstatus.h>
const STATUS_INVALID_HANDLE = 0xc000_0008;
const STATUS_OBJECT_TYPE_MISMATCH = 0xc000_0024;
const STATUS_NOT_FOUND = 0xc000_0225;

// <winnt.h>, <winternl.h>
const SYNCHRONIZE = 0x10_0000;
const FILE_SHARE_READ_WRITE = 3;
const FILE_OPEN = 1;

const POLLS_OF_A_DEVICE = 32;

/** How many packets one call removes. */
export const BATCH = 256;

/** How long a close waits for cancelled polls to end, in milliseconds. */
const DRAIN = 100;

/**
 * The memory of polls that did not end at a close, which is kept: the kernel may still
 * write to it.
 */
export const undrained: AfdPolls[] = [];

/** Room for `IO_STATUS_BLOCK`s that nothing reads. */
const unread = new Uint8Array(new ArrayBuffer(IO_STATUS_BLOCK_BYTES));

/** A handle of AFD, and the memory of the polls that are started on it. */
interface Device {
  readonly handle: number;
  readonly polls: AfdPolls;
}

/**
 * The handles of all devices of this thread. AFD takes one for a socket, if it has the
 * number of a socket that was closed.
 */
const deviceHandles = new Set<number>();

/** A completion port, and polls whose packets it receives. */
export class AfdInstance {
  readonly #calls: Ntdll = ntdll("AFD");
  readonly #port = new CompletionPort(BATCH);
  readonly #devices: Device[] = [];
  /** The numbers of polls that are not under way. */
  readonly #free: number[] = [];
  #underWay = 0;
  #parked = false;
  #closed = false;

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Starts a poll of one socket.
   *
   * @param socket The base handle of the socket
   * @param events AFD_POLL_* bits
   * @returns the number of the poll, which comes back with its packet; -1 if the handle
   *   is closed, or not that of a socket
   * @throws {SystemError} if the system lacks memory or handles
   */
  start(socket: number, events: number): number {
    const poll = this.#free.pop() ?? this.#addDevice();
    // After this: a new device may have just got the number of a closed socket.
    if (deviceHandles.has(socket)) return this.#refuse(poll);
    const { handle, polls } = this.#device(poll);
    const index = poll % POLLS_OF_A_DEVICE;
    polls.set(index, socket, events);
    const info = polls.infos[index]!;
    const status = this.#calls.NtDeviceIoControlFile(
      handle,
      0,
      0,
      poll + 1, // With 0 there would be no packet.
      polls.statusBlocks[index]!,
      IOCTL_AFD_POLL,
      info,
      info.byteLength,
      info,
      info.byteLength,
    );
    if (!isFailure(status)) {
      this.#underWay++;
      return poll;
    }
    this.#refuse(poll);
    const gone = status === STATUS_INVALID_HANDLE ||
      status === STATUS_OBJECT_TYPE_MISMATCH;
    if (gone) return -1;
    throw statusError("NtDeviceIoControlFile", status);
  }

  /** Cancels a poll. Its packet comes nevertheless. */
  cancel(poll: number): void {
    const { handle, polls } = this.#device(poll);
    const status = this.#calls.NtCancelIoFileEx(
      handle,
      polls.statusBlocks[poll % POLLS_OF_A_DEVICE]!,
      unread,
    );
    // It may have ended already.
    if (!isFailure(status) || status === STATUS_NOT_FOUND) return;
    throw statusError("NtCancelIoFileEx", status);
  }

  /**
   * Removes packets, and waits for the first of them.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @returns how many there are, at most `BATCH`, until the next wait or start
   */
  wait(timeout: number): number {
    return this.#take(this.#port.remove(timeout));
  }

  /** As `wait`, on another thread. */
  async waitParked(timeout: number, referenced: boolean): Promise<number> {
    this.#parked = true;
    let count: number;
    try {
      count = this.#take(await this.#port.removeParked(timeout, referenced));
    } finally {
      this.#parked = false;
      if (this.#closed) this.#release();
    }
    return this.#closed ? 0 : count;
  }

  /** The number of the poll that a packet belongs to; -1 for one of `wake()`. */
  poll(packet: number): number {
    return this.#port.context(packet) - 1;
  }

  /** The AFD_POLL_* bits that a packet's poll has found; 0 if it was cancelled. */
  events(packet: number): number {
    if (isFailure(this.#port.status(packet))) return 0;
    const poll = this.poll(packet);
    const { polls } = this.#device(poll);
    const index = poll % POLLS_OF_A_DEVICE;
    return polls.found(index) === 0 ? 0 : polls.events(index);
  }

  /** Ends a wait, or the next one. */
  wake(): void {
    this.#port.post();
  }

  /** Cancels all polls, and closes the port. It ends a parked wait first. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#parked) this.wake();
    else this.#release();
  }

  #refuse(poll: number): -1 {
    this.#free.push(poll);
    return -1;
  }

  #release(): void {
    const { NtCancelIoFileEx, NtClose } = this.#calls;
    for (const { handle } of this.#devices) {
      NtCancelIoFileEx(handle, null, unread);
    }
    const end = performance.now() + DRAIN;
    while (this.#underWay > 0 && performance.now() < end) this.wait(DRAIN);
    if (this.#underWay > 0) {
      undrained.push(...this.#devices.map(({ polls }) => polls));
    }
    for (const { handle } of this.#devices) {
      deviceHandles.delete(handle);
      NtClose(handle);
    }
    this.#port.close();
  }

  #device(poll: number): Device {
    return this.#devices[Math.floor(poll / POLLS_OF_A_DEVICE)]!;
  }

  /** Opens AFD once more, and returns the number of one of the new polls. */
  #addDevice(): number {
    const handle = this.#openDevice();
    const first = this.#devices.length * POLLS_OF_A_DEVICE;
    this.#devices.push({ handle, polls: new AfdPolls(POLLS_OF_A_DEVICE) });
    for (let poll = first + POLLS_OF_A_DEVICE - 1; poll > first; poll--) {
      this.#free.push(poll);
    }
    return first;
  }

  #openDevice(): number {
    const { NtCreateFile, NtClose } = this.#calls;
    const name = new ObjectName("\\Device\\Afd\\Pollux", addressOf);
    const handle = createHandle("NtCreateFile", (handle) =>
      NtCreateFile(
        handle,
        SYNCHRONIZE,
        name.bytes,
        unread,
        null,
        0,
        FILE_SHARE_READ_WRITE,
        FILE_OPEN,
        0,
        null,
        0,
      ));
    try {
      this.#port.attach(handle);
      deviceHandles.add(handle);
    } catch (error) {
      NtClose(handle);
      throw error;
    }
    return handle;
  }

  /** Frees the polls of removed packets. */
  #take(count: number): number {
    for (let packet = 0; packet < count; packet++) {
      const poll = this.poll(packet);
      if (poll < 0) continue;
      this.#underWay--;
      this.#free.push(poll);
    }
    return count;
  }
}

/**
 * The polls of AFD, with its own events: each is for one socket, and ends once.
 *
 * @example
 * ```ts
 * import { Afd, AFD_POLL_RECEIVE } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "windows") {
 *   using afd = new Afd();
 *   const [left, right] = socketPair();
 *   afd.submit(right, AFD_POLL_RECEIVE);
 *   left.send(new Uint8Array(1));
 *   assertEquals(afd.wait(1000), [[right.fd, AFD_POLL_RECEIVE]]);
 *   assertEquals(afd.wait(0), []); // the poll has ended
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export class Afd implements Disposable {
  readonly #instance: AfdInstance = new AfdInstance();
  /** The polls under way, by descriptor, and the other way round. */
  readonly #polls = new Map<number, number>();
  readonly #fds = new Map<number, number>();

  /**
   * Starts a poll of a socket. It ends at the first of its events.
   *
   * @param events AFD_POLL_* bits
   * @throws {TypeError} if the file object has no descriptor
   * @throws {RangeError} if a bit is unknown, or there is none
   * @throws {Deno.errors.AlreadyExists} if a poll of it is under way
   * @throws {Deno.errors.BadResource} if the socket is closed, or this object
   */
  submit(fileobj: FileObject, events: number): void {
    this.#checkOpen();
    const fd = fileDescriptor(fileobj);
    checkEvents(events);
    if (this.#polls.has(fd)) {
      throw new Deno.errors.AlreadyExists(`A poll of ${fd} is under way`);
    }
    const socket = baseHandle(fd);
    if (socket < 0) throw systemError("WSAIoctl", -socket, `fd ${fd}`);
    const poll = this.#instance.start(socket, events);
    if (poll < 0) {
      throw new Deno.errors.BadResource(`Descriptor ${fd} is not a socket`);
    }
    this.#polls.set(fd, poll);
    this.#fds.set(poll, fd);
  }

  /**
   * Cancels the poll of a socket: it has no result.
   *
   * @throws {Deno.errors.NotFound} if none is under way
   */
  cancel(fileobj: FileObject): void {
    this.#checkOpen();
    const fd = fileDescriptor(fileobj);
    const poll = this.#polls.get(fd);
    if (poll === undefined) {
      throw new Deno.errors.NotFound(`No poll of ${fd} is under way`);
    }
    this.#instance.cancel(poll);
    this.#polls.delete(fd);
    this.#fds.delete(poll);
  }

  /**
   * Waits, and returns the descriptors of polls that have ended with their AFD_POLL_*
   * bits, up to 256.
   *
   * @param timeout Milliseconds. 0 or less does not wait. Default: no timeout
   * @throws {TypeError} if the timeout is not a number
   * @throws {Deno.errors.BadResource} if it is closed
   */
  wait(timeout?: number): [fd: number, events: number][] {
    this.#checkOpen();
    const found: [number, number][] = [];
    waitFully(checkTimeout(timeout), (left) => {
      const count = this.#instance.wait(left);
      for (let packet = 0; packet < count; packet++) {
        const poll = this.#instance.poll(packet);
        const fd = this.#fds.get(poll);
        if (fd === undefined) continue;
        found.push([fd, this.#instance.events(packet)]);
        this.#polls.delete(fd);
        this.#fds.delete(poll);
      }
      return found.length;
    });
    return found;
  }

  /** Cancels all polls, and closes the completion port. A second call does nothing. */
  close(): void {
    this.#instance.close();
  }

  /** As `close()`, at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  #checkOpen(): void {
    if (this.#instance.closed) {
      throw new Deno.errors.BadResource("Afd is closed");
    }
  }
}

function checkEvents(events: number): void {
  if (
    !Number.isInteger(events) || events <= 0 || (events & ~ALL_EVENTS) !== 0
  ) {
    throw new RangeError(`Cannot poll for the AFD events ${events}`);
  }
}
