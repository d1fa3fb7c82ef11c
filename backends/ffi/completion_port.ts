/**
 * A completion port of Windows: a queue of packets, each of which says that a request
 * has ended.
 *
 * Source: "I/O Completion Ports" in the Windows documentation. The calls below
 * `CreateIoCompletionPort` and its relatives are used, because they return their errors.
 *
 * @module
 */

import {
  createHandle,
  isFailure,
  type Ntdll,
  ntdll,
  statusError,
} from "./ntdll.ts";
import { holding } from "./parked_call.ts";
import { Packets, RelativeTime } from "./structs/afd_poll.ts";

// <winnt.h>, and FILE_INFORMATION_CLASS of <winternl.h>
const IO_COMPLETION_ALL_ACCESS = 0x1f_0003;
const FILE_COMPLETION_INFORMATION = 30;
const FILE_IO_COMPLETION_NOTIFICATION_INFORMATION = 41;
const FILE_SKIP_SET_EVENT_ON_HANDLE = 2;

// <ntstatus.h>
const STATUS_SUCCESS = 0;

/**
 * How many threads that the port has woken may run at once. A parked wait has to be
 * woken although this thread runs, so the number is above any count of threads.
 */
const CONCURRENCY = 0xffff;

/** A completion port, with the buffers of its waits. */
export class CompletionPort {
  readonly #calls: Ntdll = ntdll("completion ports");
  readonly #packets: Packets;
  readonly #time = new RelativeTime();
  readonly #handle: number;

  /**
   * Creates a port.
   *
   * @param batch How many packets a call removes at most
   * @throws {Deno.errors.NotSupported} on a system without it
   * @throws {SystemError} if the system lacks memory or handles
   */
  constructor(batch: number) {
    this.#packets = new Packets(batch);
    this.#handle = createHandle(
      "NtCreateIoCompletion",
      (handle) =>
        this.#calls.NtCreateIoCompletion(
          handle,
          IO_COMPLETION_ALL_ACCESS,
          null,
          CONCURRENCY,
        ),
    );
  }

  /**
   * Makes the port receive the packets of a handle's requests.
   *
   * @throws {SystemError} if it has another port
   */
  attach(handle: number): void {
    // HANDLE Port; PVOID Key
    const port = Uint32Array.of(this.#handle, 0, 0, 0);
    this.#configure(handle, FILE_COMPLETION_INFORMATION, port);
    // Otherwise each end of a request would also set an event, which nothing waits for.
    const mode = Uint32Array.of(FILE_SKIP_SET_EVENT_ON_HANDLE);
    this.#configure(handle, FILE_IO_COMPLETION_NOTIFICATION_INFORMATION, mode);
  }

  /**
   * Removes packets, and waits for the first of them.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @returns how many there are, until the next call
   */
  remove(timeout: number): number {
    const { bytes, capacity, removed } = this.#packets;
    const status = this.#calls.NtRemoveIoCompletionEx(
      this.#handle,
      bytes,
      capacity,
      removed,
      this.#timeOf(timeout),
      0,
    );
    return this.#count(status);
  }

  /** As `remove`, on another thread. */
  async removeParked(timeout: number, referenced: boolean): Promise<number> {
    const { bytes, capacity, removed } = this.#packets;
    const time = this.#timeOf(timeout)?.slice() ?? null;
    const call = this.#calls.NtRemoveIoCompletionExParked(
      this.#handle,
      bytes,
      capacity,
      removed,
      time,
      0,
    );
    return this.#count(await holding(referenced, call, bytes, removed, time));
  }

  /** The number that went with the request of a packet; 0 for one of `post()`. */
  context(packet: number): number {
    return this.#packets.context(packet);
  }

  /** The NTSTATUS of the request of a packet. */
  status(packet: number): number {
    return this.#packets.status(packet);
  }

  /** Adds a packet, which ends a wait. */
  post(): void {
    const status = this.#calls.NtSetIoCompletion(this.#handle, 0, 0, 0, 0);
    if (isFailure(status)) throw statusError("NtSetIoCompletion", status);
  }

  /** Closes the port. */
  close(): void {
    this.#calls.NtClose(this.#handle);
  }

  #configure(
    handle: number,
    kind: number,
    information: Uint32Array<ArrayBuffer>,
  ): void {
    const status = this.#calls.NtSetInformationFile(
      handle,
      new Uint8Array(16),
      information,
      information.byteLength,
      kind,
    );
    if (isFailure(status)) throw statusError("NtSetInformationFile", status);
  }

  #timeOf(timeout: number): RelativeTime["bytes"] | null {
    if (timeout === Infinity) return null;
    this.#time.set(timeout);
    return this.#time.bytes;
  }

  #count(status: number): number {
    if (isFailure(status)) throw statusError("NtRemoveIoCompletionEx", status);
    // After a timeout (STATUS_TIMEOUT) the count says nothing: Wine's is 1.
    return status === STATUS_SUCCESS ? this.#packets.removed[0]! : 0;
  }
}
