/**
 * One message that the kernel splits into datagrams, sent from the memory of the caller.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { WOULD_BLOCK, wouldBlock } from "./descriptor.ts";
import { addressOf, libc } from "./libc.ts";
import { addressBytes } from "./received_address.ts";
import { SegmentControls } from "./segmentation.ts";
import { quietly } from "./socket_fd.ts";
import { IOVEC_BYTES, MessageHeaders } from "./structs/message.ts";

/** `struct msghdr` with one piece and one control message. Each send fills it anew. */
export class SegmentedMessage {
  readonly #header = new MessageHeaders(system().msghdr, 1);
  readonly #iovec = new BigUint64Array(new ArrayBuffer(IOVEC_BYTES));
  readonly #control = SegmentControls.create(1)!;
  readonly #name = addressOf(addressBytes);

  /** Points the structs at each other. Only for systems with segmentation. */
  constructor() {
    this.#header.setPieces(0, addressOf(this.#iovec), 1);
    const { length } = this.#control;
    this.#header.setControl(0, this.#control.address(0), length);
  }

  /**
   * Sends a part of memory as datagrams of one size, of which the last may be shorter.
   *
   * @param start Where the part begins
   * @param length Its bytes, no more than `mostSegmentBytes(size)`
   * @param addressLength The length of the destination, which is in `addressBytes`; 0
   *   on a connected socket
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {SystemError} as `Socket.sendTo`, and if segmentation is refused
   */
  send(
    fd: number,
    data: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
    size: number,
    addressLength: number,
  ): number {
    this.#iovec[0] = addressOf(data) + BigInt(start);
    this.#iovec[1] = BigInt(length);
    this.#control.setSize(0, size);
    const name = addressLength === 0 ? 0n : this.#name;
    this.#header.setName(0, name, addressLength);
    for (;;) {
      const count = libc().sendmsg(fd, this.#header.from(0), quietly(0));
      if (count >= 0) return count;
      if (wouldBlock("sendmsg", -count)) return WOULD_BLOCK;
    }
  }
}
