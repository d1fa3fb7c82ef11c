/**
 * Many descriptors, of which some are ready: Linux's eventfds, each of which is ready
 * until it is read.
 *
 * @module
 */

import { retrying } from "../backends/ffi/descriptor.ts";
import { libc } from "../backends/ffi/libc.ts";

/** `<sys/eventfd.h>`: EFD_NONBLOCK | EFD_CLOEXEC. */
const FLAGS = 0x80800;

/** Eventfds that a `using` scope closes. */
export class Eventfds implements Disposable {
  readonly fds: readonly number[];

  constructor(count: number) {
    const { eventfd } = libc();
    this.fds = Array.from(
      { length: count },
      () => retrying("eventfd", () => eventfd!(0, FLAGS)),
    );
  }

  /** Makes the last `count` of them ready. */
  raise(count: number): void {
    const one = BigUint64Array.of(1n);
    for (const fd of this.fds.slice(-count)) libc().write(fd, one, 8);
  }

  [Symbol.dispose](): void {
    for (const fd of this.fds) libc().close(fd);
  }
}
