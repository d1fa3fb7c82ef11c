/**
 * `struct dvpoll`, by which /dev/poll is asked to wait, and the flags that go with it.
 *
 * Source: `<sys/devpoll.h>`, `<sys/poll.h>` of illumos.
 *
 * @module
 */

import type { Platform } from "../system.ts";

/** The flags of `/dev/poll`. */
export interface DevPollConstants {
  /** The `ioctl` that waits. */
  readonly DP_POLL: number;
  /** In place of events: remove the descriptor. */
  readonly POLLREMOVE: number;
}

/** The flags of a system; null without `/dev/poll`. */
export function devPollConstants({ os }: Platform): DevPollConstants | null {
  return os === "illumos" ? { DP_POLL: 0xd001, POLLREMOVE: 0x800 } : null;
}

/** `pollfd_t *dp_fds; nfds_t dp_nfds; int dp_timeout; sigset_t *dp_setp`. */
export class DvPoll {
  /** The struct's bytes, for the call that reads them. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(32));
  readonly #view = new DataView(this.bytes.buffer);

  /** Sets the address and the length of the array of `struct pollfd` to fill. */
  setBuffer(address: bigint, capacity: number): void {
    this.#view.setBigUint64(0, address, true);
    this.#view.setBigUint64(8, BigInt(capacity), true);
  }

  /** Sets the timeout in milliseconds; -1 is no timeout. */
  setTimeout(milliseconds: number): void {
    this.#view.setInt32(16, milliseconds, true);
  }
}
