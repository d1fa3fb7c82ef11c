/**
 * Many descriptors, of which some are ready: Linux's eventfds, one descriptor
 * each, ready as long as nobody reads them.
 *
 * @module
 */

import { retrying } from "../backends/ffi/descriptor.ts";
import { libc } from "../backends/ffi/libc.ts";

/** `<sys/eventfd.h>`: EFD_NONBLOCK | EFD_CLOEXEC. */
const FLAGS = 0x80800;

/** Eventfds, all closed at the end of their scope. */
export class Eventfds implements Disposable {
  readonly fds: readonly number[];

  constructor(count: number) {
    const { eventfd } = libc();
    this.fds = Array.from(
      { length: count },
      () => retrying("eventfd", () => eventfd!(0, FLAGS)),
    );
  }

  /** Makes the last so many of them ready. */
  raise(count: number): void {
    const one = BigUint64Array.of(1n);
    for (const fd of this.fds.slice(-count)) libc().write(fd, one, 8);
  }

  /** Makes none of them ready. */
  lower(): void {
    const value = new BigUint64Array(1);
    for (const fd of this.fds) libc().read(fd, value, 8);
  }

  [Symbol.dispose](): void {
    for (const fd of this.fds) libc().close(fd);
  }
}
