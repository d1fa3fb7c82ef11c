/**
 * Segmentation of UDP: one message is many datagrams. The kernel splits a sent one
 * (UDP_SEGMENT), and joins received ones (UDP_GRO). Linux alone has both.
 *
 * Sources: `<linux/udp.h>`; udp_cmsg_send() and udp_send_skb() of net/ipv4/udp.c.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { addressOf, libc } from "./libc.ts";
import {
  type CmsghdrLayout,
  cmsghdrLayout,
  encodeControl,
} from "./structs/control.ts";

/** UDP_MAX_SEGMENTS of kernels before 6.9; later ones take twice as many. */
const MOST_SEGMENTS = 64;

/** The longest payload of UDP over IPv4 (65,535 bytes less the headers of both). */
const MOST_BYTES = 65_507;

/** The errors by which a kernel, a route or a device refuses segmentation. */
const REFUSALS = ["EINVAL", "EIO", "EMSGSIZE", "EOPNOTSUPP", "ENOPROTOOPT"];

/** How many bytes of datagrams of one size a message can have: a multiple of it. */
export function mostSegmentBytes(size: number): number {
  return size * Math.min(MOST_SEGMENTS, Math.floor(MOST_BYTES / size));
}

/** Whether an error may be a refusal of segmentation, after which plain sends succeed. */
export function isSegmentationRefused(errno: number): boolean {
  const numbers = system().errno;
  return REFUSALS.some((name) => numbers[name] === errno);
}

/**
 * Whether the kernel splits messages of a socket. One that does not know the control
 * message would send the bytes as a single datagram.
 */
export function canSegment(fd: number): boolean {
  const { IPPROTO_UDP, UDP_SEGMENT } = system().constants;
  if (UDP_SEGMENT === null) return false;
  const [value, length] = [new Int32Array(1), Uint32Array.of(4)];
  const { getsockopt } = libc();
  return getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, value, length) >= 0;
}

/** Has the kernel join received datagrams, if it can. Returns whether it does. */
export function joinReceived(fd: number): boolean {
  const { IPPROTO_UDP, UDP_GRO } = system().constants;
  if (UDP_GRO === null) return false;
  const { setsockopt } = libc();
  return setsockopt(fd, IPPROTO_UDP, UDP_GRO, Int32Array.of(1), 4) >= 0;
}

/** Control messages that have the kernel split messages: one for each of a batch. */
export class SegmentControls {
  /** How many bytes each takes. */
  readonly length: number;
  readonly #address: bigint;
  readonly #sizes: Uint16Array<ArrayBuffer>;
  /** The index of the first size, a `uint16_t`. */
  readonly #first: number;

  private constructor(count: number, type: number) {
    const { IPPROTO_UDP } = system().constants;
    const layout = cmsghdrLayout(system());
    const data = new Uint8Array(2);
    const message = { level: IPPROTO_UDP, type, data };
    const bytes = encodeControl(Array(count).fill(message), layout);
    this.length = bytes.length / count;
    this.#address = addressOf(bytes);
    this.#sizes = new Uint16Array(bytes.buffer);
    this.#first = layout.data >> 1;
  }

  /** Makes the messages; null if the system has no segmentation. */
  static create(count: number): SegmentControls | null {
    const { UDP_SEGMENT } = system().constants;
    return UDP_SEGMENT === null
      ? null
      : new SegmentControls(count, UDP_SEGMENT);
  }

  /** The address of the message at `index`. */
  address(index: number): bigint {
    return this.#address + BigInt(index * this.length);
  }

  /** Sets the size of the datagrams in the message at `index`. */
  setSize(index: number, size: number): void {
    this.#sizes[this.#first + index * (this.length >> 1)] = size;
  }
}

/** Finds the size of joined datagrams in control messages, without an object for any. */
export class SegmentSizes {
  readonly #layout: CmsghdrLayout = cmsghdrLayout(system());
  readonly #level = system().constants.IPPROTO_UDP;
  readonly #type = system().constants.UDP_GRO;

  /**
   * The size of the datagrams that a message consists of; 0 if it is a single one.
   *
   * @param words The memory of the control messages
   * @param start The index of the first word
   * @param length The bytes that the kernel wrote
   */
  find(words: Int32Array<ArrayBuffer>, start: number, length: number): number {
    const { level, type, data, alignment } = this.#layout;
    for (let place = 0; place + data < length;) {
      const header = start + (place >> 2);
      const bytes = words[header]!;
      if (
        words[header + (level >> 2)] === this.#level &&
        words[header + (type >> 2)] === this.#type
      ) return words[header + (data >> 2)]!;
      if (bytes < data) return 0;
      place += bytes + alignment - 1 & ~(alignment - 1);
    }
    return 0;
  }
}
