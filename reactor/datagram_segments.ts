/**
 * Sends many datagrams of one size with one call, as long as the kernel splits messages.
 *
 * A route or a device may refuse to: the datagrams are longer than a packet of it, or it
 * computes no checksums. Nothing is sent then, so the caller sends each datagram by
 * itself. A refused size is not tried again for a second.
 *
 * @module
 */

import { encodeDestination } from "../backends/ffi/address_book.ts";
import type { SystemError } from "../backends/ffi/errors.ts";
import {
  isSegmentationRefused,
  mostSegmentBytes,
} from "../backends/ffi/segmentation.ts";
import { SegmentedMessage } from "../backends/ffi/segmented_message.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { now } from "./clock.ts";

/** How long a refused size is not tried again, in milliseconds. */
const PAUSE = 1000;

/** One for the thread: each call fills it and uses it. */
let message: SegmentedMessage | undefined;

/** The segmentation of one socket. */
export class DatagramSegments {
  readonly #socket: Socket;
  readonly #enabled: boolean;
  /** The smallest size that was refused lately. */
  #refused = Infinity;
  /** When that is forgotten. */
  #until = 0;

  /** @param enabled Whether the kernel splits messages of this socket */
  constructor(socket: Socket, enabled: boolean) {
    this.#socket = socket;
    this.#enabled = enabled;
  }

  /** Whether datagrams of a size may be sent as one message. */
  allows(size: number): boolean {
    if (!this.#enabled) return false;
    if (size >= this.#refused && now() > this.#until) this.#refused = Infinity;
    return size < this.#refused && mostSegmentBytes(size) > size;
  }

  /**
   * Sends datagrams of one size.
   *
   * @param start Where in `data` the first begins
   * @param address Their destination; null if the socket is connected
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws as `SegmentedMessage.send`, or if the address is malformed
   */
  send(
    data: Uint8Array<ArrayBuffer>,
    start: number,
    size: number,
    address: SocketAddress | null,
  ): number {
    const { fd, domain } = this.#socket;
    const length = Math.min(data.length - start, mostSegmentBytes(size));
    const addressLength = address === null
      ? 0
      : encodeDestination(address, domain);
    message ??= new SegmentedMessage();
    return message.send(fd, data, start, length, size, addressLength);
  }

  /**
   * Whether an error refuses to split a message. Its datagrams are then to be sent by
   * themselves.
   */
  isRefusal(error: SystemError, size: number): boolean {
    if (!isSegmentationRefused(error.errno)) return false;
    // A device that computes no checksums refuses every size.
    const least = error.code === "EIO" ? 0 : size;
    this.#refused = Math.min(this.#refused, least);
    this.#until = now() + PAUSE;
    return true;
  }
}
