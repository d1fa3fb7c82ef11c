/**
 * The memory in which datagrams are received and sent. All datagram sockets of a thread
 * share it, because each uses it within one call only.
 *
 * @module
 */

import { MessageBatch, sendToEncoded } from "../backends/ffi/message_batch.ts";
import { keptAddress } from "../backends/ffi/received_address.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { Copies } from "./receive_buffer.ts";

/** How many datagrams one call receives or sends, and one iteration takes off a socket. */
export const BATCH = 32;

/**
 * Room for the largest datagram of UDP: 65,507 bytes over IPv4 (RFC 768 and RFC 791).
 * A larger one of a Unix socket is sent with a call of its own, but not received.
 */
export const MESSAGE_BYTES = 64 * 1024;

let incoming: MessageBatch | undefined;
let outgoing: MessageBatch | undefined;
let copies: Copies | undefined;

/** The batch to send with. */
export function outgoingBatch(): MessageBatch {
  return outgoing ??= new MessageBatch(BATCH, MESSAGE_BYTES);
}

/**
 * Takes the batch to receive with. It belongs to the caller until `returnIncoming()`:
 * a callback may run another reactor, which then creates a batch.
 */
export function takeIncoming(): MessageBatch {
  const batch = incoming ?? new MessageBatch(BATCH, MESSAGE_BYTES);
  incoming = undefined;
  return batch;
}

/** Returns the batch that `takeIncoming()` gave. */
export function returnIncoming(batch: MessageBatch): void {
  incoming = batch;
}

/** A copy of a received message, which the program may keep. */
export function copyOfMessage(
  batch: MessageBatch,
  index: number,
): Uint8Array<ArrayBuffer> {
  return (copies ??= new Copies()).of(batch.received(index));
}

/**
 * The source of the last message of a socket. To decode an address costs as much as to
 * receive one more message, and the next message often has the same source. A reply
 * needs no encoding either.
 */
export class LastSource {
  #bytes = new Uint8Array(0);
  #address: SocketAddress = { path: "" };

  /** The source of a message. */
  of(batch: MessageBatch, index: number): SocketAddress {
    const length = batch.addressLength(index);
    const bytes = batch.address(index);
    if (length !== this.#bytes.length || !startsWith(bytes, this.#bytes)) {
      this.#bytes = bytes.slice(0, length);
      // Frozen, because many messages share it.
      this.#address = Object.freeze(keptAddress(this.#bytes));
    }
    return this.#address;
  }

  /**
   * Sends a message.
   *
   * @param address Its destination; null if the socket is connected
   * @returns as `Socket.sendTo`
   * @throws as `Socket.sendTo`
   */
  send(
    socket: Socket,
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): number {
    if (address === null) return socket.send(data);
    if (address !== this.#address) return socket.sendTo(data, address);
    return sendToEncoded(socket.fd, data, this.#bytes, this.#bytes.length);
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let index = 0; index < start.length; index++) {
    if (bytes[index] !== start[index]) return false;
  }
  return true;
}
