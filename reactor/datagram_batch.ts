/**
 * The memory in which datagrams are received. All sockets of a thread share it, because
 * callbacks get copies; those with `reuseBuffer` share one of their reactor.
 *
 * @module
 */

import { ReceiveBatch } from "../backends/ffi/receive_batch.ts";
import { Copies, NOTHING } from "./receive_buffer.ts";

/** How many datagrams one call receives, and one iteration takes off a socket. */
const BATCH = 64;

/** How many it receives of which each may be 64 joined ones. */
const JOINED_BATCH = 32;

/**
 * Room for the largest datagram of UDP: 65,507 bytes over IPv4 (RFC 768 and RFC 791).
 * A larger one of a Unix socket is sent with a call of its own, but not received.
 */
const MESSAGE_BYTES = 64 * 1024;

/**
 * Receives for datagram sockets, and makes the chunks of their callbacks. More than one
 * batch exists only while a callback runs another reactor.
 */
export class Incoming {
  readonly #joined: boolean;
  /** Null if callbacks see the memory of the batch. */
  readonly #copies: Copies | null;
  /** Callbacks see parts of a joined message here: one may transfer the memory. */
  #scratch: Uint8Array<ArrayBuffer> = NOTHING;
  #idle: ReceiveBatch | null = null;

  /**
   * @param joined Whether the kernel joins received datagrams
   * @param reused Whether callbacks see the memory
   */
  constructor(joined: boolean, reused: boolean) {
    this.#joined = joined;
    this.#copies = reused ? null : new Copies();
  }

  /** Takes a batch, which belongs to the caller until `giveBack()`. */
  take(): ReceiveBatch {
    const batch = this.#idle ?? this.#create();
    this.#idle = null;
    if (this.#copies === null) batch.renew();
    return batch;
  }

  /** Returns a batch. */
  giveBack(batch: ReceiveBatch): void {
    this.#idle = batch;
  }

  /** A received message, as a callback gets it. */
  whole(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return this.#copies === null ? bytes : this.#copies.of(bytes);
  }

  /** A datagram of a joined message, as a callback gets it. */
  part(
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
  ): Uint8Array<ArrayBuffer> {
    const part = bytes.subarray(start, end);
    if (this.#copies !== null) return this.#copies.of(part);
    if (this.#scratch.length !== part.length) this.#resize(part.length);
    this.#scratch.set(part);
    return this.#scratch;
  }

  /** Makes the scratch a view of another length, in new memory if its own is gone. */
  #resize(length: number): void {
    let { buffer } = this.#scratch;
    if (buffer.byteLength === 0) buffer = new ArrayBuffer(MESSAGE_BYTES);
    this.#scratch = new Uint8Array(buffer, 0, length);
  }

  #create(): ReceiveBatch {
    const capacity = this.#joined ? JOINED_BATCH : BATCH;
    const isSeen = this.#copies === null;
    return new ReceiveBatch(capacity, MESSAGE_BYTES, this.#joined, isSeen);
  }
}

/** Those of a thread, whose callbacks get copies. */
const shared: (Incoming | undefined)[] = [];

/** Those of each reactor whose callbacks see the memory. */
const ofLoops = new WeakMap<object, (Incoming | undefined)[]>();

/**
 * Returns the memory that a socket receives into.
 *
 * @param joined Whether the kernel joins received datagrams
 * @param reused Whether callbacks see the memory
 */
export function incomingFor(
  loop: object,
  joined: boolean,
  reused: boolean,
): Incoming {
  let list = shared;
  if (reused) {
    list = ofLoops.get(loop) ?? [];
    ofLoops.set(loop, list);
  }
  return list[Number(joined)] ??= new Incoming(joined, reused);
}
