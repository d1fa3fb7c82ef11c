/**
 * Arrays of `struct mmsghdr` with which a load of datagrams sends and receives.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { addressOf, libc } from "../../backends/ffi/libc.ts";
import {
  encodeAddress,
  SOCKADDR_STORAGE_BYTES,
} from "../../backends/ffi/socket_address.ts";
import {
  cmsghdrLayout,
  encodeControl,
} from "../../backends/ffi/structs/control.ts";
import {
  IOVEC_BYTES,
  MessageHeaders,
} from "../../backends/ffi/structs/message.ts";
import { LoadError } from "./load.ts";

/** <linux/in.h>: the source address of a datagram is in a `struct in_pktinfo`. */
const IP_PKTINFO = 8;

/** `struct mmsghdr` on 64-bit Linux, in words of 32 bits. */
const HEADER_WORDS = 16;

/** Room for any datagram of UDP, or for all segments of one. */
const SLOT_BYTES = 64 * 1024;

/** A part of the memory that is sent as one message. */
export interface Part {
  readonly memory: Uint8Array<ArrayBuffer>;
  /** The address that it comes from. */
  readonly source: string;
}

/**
 * Messages that are prepared once. Any of them are sent with one call, each from an
 * address of its own, so one socket is many peers.
 */
export class OutgoingVector {
  /** The structs of all messages, and those of the next call. */
  readonly #all: Uint32Array<ArrayBuffer>;
  readonly #next: Uint32Array<ArrayBuffer>;
  #count = 0;
  /** The structs hold addresses of this memory. */
  readonly #kept: unknown[];

  constructor(parts: readonly Part[], port: number) {
    const headers = new MessageHeaders(system().msghdr, parts.length);
    const iovecs = new BigUint64Array(
      new ArrayBuffer(parts.length * IOVEC_BYTES),
    );
    const server = encodedAddress("127.0.0.1", port);
    const controls = parts.map(({ source }) => packetInfo(source));
    parts.forEach(({ memory }, index) => {
      const control = controls[index]!;
      iovecs.set([addressOf(memory), BigInt(memory.length)], 2 * index);
      headers.setName(index, addressOf(server), server.length);
      headers.setPieces(index, addressOf(iovecs.subarray(2 * index)), 1);
      headers.setControl(index, addressOf(control), control.length);
    });
    this.#kept = [parts, iovecs, server, controls];
    this.#all = new Uint32Array(headers.bytes);
    this.#next = new Uint32Array(new ArrayBuffer(this.#all.byteLength));
  }

  /** Adds messages to the next call. */
  add(first: number, count: number): void {
    const from = first * HEADER_WORDS;
    const to = this.#count * HEADER_WORDS;
    for (let word = 0; word < count * HEADER_WORDS; word++) {
      this.#next[to + word] = this.#all[from + word]!;
    }
    this.#count += count;
  }

  /** Sends the added messages. */
  send(fd: number): void {
    const count = this.#count;
    this.#count = 0;
    if (count === 0) return;
    const sent = libc().sendmmsg!(fd, this.#next.buffer, count, 0);
    if (sent !== count) {
      throw new LoadError(`${sent} of ${count} messages were sent`);
    }
  }
}

/** Messages that one call receives. */
export class IncomingVector {
  /** The memory of all messages, in words. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** The distance of two messages, in words. */
  readonly stride: number = SLOT_BYTES / 4;
  readonly #capacity: number;
  readonly #headers: MessageHeaders;
  readonly #iovecs: BigUint64Array<ArrayBuffer>;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.words = new Uint32Array(new ArrayBuffer(capacity * SLOT_BYTES));
    this.#headers = new MessageHeaders(system().msghdr, capacity);
    this.#iovecs = new BigUint64Array(new ArrayBuffer(capacity * IOVEC_BYTES));
    for (let index = 0; index < capacity; index++) {
      const slot = this.words.subarray(index * this.stride);
      this.#iovecs.set([addressOf(slot), BigInt(SLOT_BYTES)], 2 * index);
      const iovec = this.#iovecs.subarray(2 * index);
      this.#headers.setPieces(index, addressOf(iovec), 1);
    }
  }

  /** Receives the messages that are there. @returns how many, or a negative number */
  receive(fd: number): number {
    const { bytes } = this.#headers;
    return libc().recvmmsg!(fd, bytes, this.#capacity, 0, null);
  }

  /** The bytes of a received message. */
  length(index: number): number {
    return this.#headers.length(index);
  }
}

/** An address in the layout of the kernel. */
function encodedAddress(
  hostname: string,
  port: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(SOCKADDR_STORAGE_BYTES));
  return bytes.slice(0, encodeAddress(bytes, { hostname, port }, system()));
}

/** `struct in_pktinfo`: the index of an interface, the source, the destination. */
function packetInfo(source: string): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(12);
  data.set(source.split(".").map(Number), 4);
  const level = system().constants.IPPROTO_IP;
  return encodeControl(
    [{ level, type: IP_PKTINFO, data }],
    cmsghdrLayout(Deno.build),
  );
}
