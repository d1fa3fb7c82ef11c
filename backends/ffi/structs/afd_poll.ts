/**
 * The structs of a poll by AFD: `AFD_POLL_INFO`, which goes in and comes out,
 * `IO_STATUS_BLOCK`, and the packets of a completion port.
 *
 * All have the same layout on x86-64 and arm64. Numbers are kept in 32 bits: handles
 * are below 2^32, and a field of 64 bits would need a `BigInt` in every wait.
 *
 * Sources: `AFD_POLL_INFO` as ReactOS has it in `drivers/network/afd/include/afd/shared.h`;
 * `<winternl.h>` for the others.
 *
 * @module
 */

import type { Platform } from "../system.ts";
import { LONGEST_WAIT } from "./time.ts";

/** Whether a system has AFD. */
export function hasAfd({ os }: Platform): boolean {
  return os === "windows";
}

/** The bytes of `AFD_POLL_INFO` with one `AFD_POLL_HANDLE_INFO`. */
export const AFD_POLL_INFO_BYTES = 32;

/** The bytes of `IO_STATUS_BLOCK`. */
export const IO_STATUS_BLOCK_BYTES = 16;

/** The bytes of `FILE_IO_COMPLETION_INFORMATION`, which is also `OVERLAPPED_ENTRY`. */
export const PACKET_BYTES = 32;

/** How far apart the polls of an array are: both structs of one. */
const STRIDE = AFD_POLL_INFO_BYTES + IO_STATUS_BLOCK_BYTES;

/**
 * An array of polls, each with its `IO_STATUS_BLOCK`. The kernel writes to a poll that
 * is under way, so the memory never moves.
 */
export class AfdPolls {
  /** `AFD_POLL_INFO` of each, for the call. */
  readonly infos: readonly Uint8Array<ArrayBuffer>[];
  /** `IO_STATUS_BLOCK` of each, for the call. */
  readonly statusBlocks: readonly Uint8Array<ArrayBuffer>[];
  readonly #words: Int32Array<ArrayBuffer>;

  /** @param count How many polls */
  constructor(count: number) {
    // Small arrays without a buffer of their own are moved by the garbage collector.
    const bytes = new ArrayBuffer(count * STRIDE);
    const at = (index: number, offset: number, length: number) =>
      new Uint8Array(bytes, index * STRIDE + offset, length);
    const indices = Array.from({ length: count }, (_, index) => index);
    this.infos = indices.map((index) => at(index, 0, AFD_POLL_INFO_BYTES));
    this.statusBlocks = indices.map((index) =>
      at(index, AFD_POLL_INFO_BYTES, IO_STATUS_BLOCK_BYTES)
    );
    this.#words = new Int32Array(bytes);
  }

  /** Writes a poll of one socket, without a timeout of its own. */
  set(index: number, socket: number, events: number): void {
    const words = this.#words;
    const start = index * STRIDE / 4;
    // LARGE_INTEGER Timeout: the largest number is none.
    words[start] = -1;
    words[start + 1] = 0x7fff_ffff;
    // ULONG NumberOfHandles; ULONG Exclusive
    words[start + 2] = 1;
    words[start + 3] = 0;
    // HANDLE Handle; ULONG Events; NTSTATUS Status
    words[start + 4] = socket;
    words[start + 5] = 0;
    words[start + 6] = events;
    words[start + 7] = 0;
  }

  /** The AFD_POLL_* bits of a poll: asked for before, found after. */
  events(index: number): number {
    return this.#words[index * STRIDE / 4 + 6]!;
  }

  /** How many sockets of a poll have events: 1 or 0. */
  found(index: number): number {
    return this.#words[index * STRIDE / 4 + 2]!;
  }
}

/** `FILE_IO_COMPLETION_INFORMATION`: packets that a completion port hands out. */
export class Packets {
  /** The structs' bytes, for the call that fills them. */
  readonly bytes: ArrayBuffer;
  /** How many there is room for. */
  readonly capacity: number;
  /** Where the call writes how many it has filled. */
  readonly removed: Uint32Array<ArrayBuffer> = new Uint32Array(
    new ArrayBuffer(4),
  );
  readonly #words: Int32Array<ArrayBuffer>;

  /** @param capacity How many packets to make room for */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.bytes = new ArrayBuffer(capacity * PACKET_BYTES);
    this.#words = new Int32Array(this.bytes);
  }

  /** The `ApcContext` of a packet: the number that went with the request. */
  context(index: number): number {
    return this.#words[index * PACKET_BYTES / 4 + 2]!;
  }

  /** The NTSTATUS of a packet's request. */
  status(index: number): number {
    return this.#words[index * PACKET_BYTES / 4 + 4]! >>> 0;
  }
}

/** `LARGE_INTEGER`: a timeout from now, in negative units of 100 ns. */
export class RelativeTime {
  /** The struct's bytes, for the call that reads them. */
  readonly bytes: BigInt64Array<ArrayBuffer> = new BigInt64Array(
    new ArrayBuffer(8),
  );
  readonly #words = new Uint32Array(this.bytes.buffer);

  /** Sets it to milliseconds, rounded up to a unit. */
  set(timeout: number): void {
    const limited = Math.min(Math.max(timeout, 0), LONGEST_WAIT);
    const units = Math.ceil(limited * 10_000);
    this.#words[0] = -units % 2 ** 32;
    this.#words[1] = Math.floor(-units / 2 ** 32);
  }
}

/** The name of a file for `NtCreateFile`: `OBJECT_ATTRIBUTES`, and the text that it refers to. */
export class ObjectName {
  /** `OBJECT_ATTRIBUTES`, for the call that reads it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `UNICODE_STRING` and the text, which have to live as long. */
  readonly #text: Uint16Array<ArrayBuffer>;
  readonly #string: Uint8Array<ArrayBuffer>;

  /**
   * @param name The name
   * @param addressOf The address of a buffer
   */
  constructor(name: string, addressOf: (buffer: BufferSource) => bigint) {
    this.#text = new Uint16Array(new ArrayBuffer(2 * name.length));
    this.#text.set([...name].map((letter) => letter.charCodeAt(0)));
    const { byteLength } = this.#text;
    // USHORT Length; USHORT MaximumLength; PWSTR Buffer
    this.#string = new Uint8Array(new ArrayBuffer(16));
    const string = new DataView(this.#string.buffer);
    string.setUint16(0, byteLength, true);
    string.setUint16(2, byteLength, true);
    string.setBigUint64(8, addressOf(this.#text), true);
    // ULONG Length; HANDLE RootDirectory; PUNICODE_STRING ObjectName; ULONG Attributes
    this.bytes = new Uint8Array(new ArrayBuffer(48));
    const attributes = new DataView(this.bytes.buffer);
    attributes.setUint32(0, this.bytes.byteLength, true);
    attributes.setBigUint64(16, addressOf(this.#string), true);
  }
}
