/**
 * A `WasiSelector` on the host of this package, for the conformance suite.
 */

import { PollSelector } from "../../../backends/mod.ts";
import { isOpen } from "../../../backends/ffi/descriptor.ts";
import {
  type PollOneoffImport,
  WasiSelector,
} from "../../../adapters/wasi/mod.ts";
import { FdTable } from "../../../adapters/wasi/fd_table.ts";
import type { Guest } from "../../../adapters/wasi/guest.ts";
import type { GuestDescriptor } from "../../../adapters/wasi/guest_file.ts";
import { GuestStdio } from "../../../adapters/wasi/guest_stdio.ts";
import { GuestMemory } from "../../../adapters/wasi/memory.ts";
import { pollOneoff } from "../../../adapters/wasi/poll_oneoff.ts";
import { PollRequest } from "../../../adapters/wasi/poll_request.ts";
import { Readiness } from "../../../adapters/wasi/readiness.ts";
import { blocking, type Waiting } from "../../../adapters/wasi/waiting.ts";
import { nextTurn } from "../../util.ts";

/** Descriptors of a guest with the host's numbers, which the suite uses. */
class HostTable extends FdTable<GuestDescriptor> {
  override get(fd: number): GuestDescriptor | undefined {
    return fd >= 0 && isOpen(fd) ? new GuestStdio(fd, "input") : undefined;
  }
}

/** A selector with the `poll_oneoff` of the host. */
export class HostedWasiSelector<T> extends WasiSelector<T> {
  readonly #host: Host;

  constructor() {
    const host = new Host();
    super({
      memory: host.memory,
      imports: { poll_oneoff: (...args) => host.poll(...args) },
      parked: (...args) => host.park(...args),
    });
    this.#host = host;
  }

  override close(): void {
    super.close();
    this.#host.dispose();
  }
}

/**
 * Looks once in each turn of Deno's loop. The suite reuses numbers while they are
 * waited for, which only poll(2) reports, and no reactor can wait for a poll(2).
 */
const polling: Waiting = {
  busy: false,
  async wait(readiness, timeout): Promise<number> {
    const deadline = performance.now() + timeout;
    for (;;) {
      const count = readiness.wait(0);
      if (count > 0 || performance.now() >= deadline) return count;
      await nextTurn();
    }
  },
};

/** As much of a host as a selector needs. */
class Host {
  readonly memory = new WebAssembly.Memory({ initial: 1 });
  readonly #guest: Guest = {
    memory: new GuestMemory(),
    table: new HostTable(),
    readiness: new Readiness(() => new PollSelector()),
    request: new PollRequest(),
    now: () => performance.now(),
    waiting: blocking,
  };
  #parked = false;
  #disposed = false;

  constructor() {
    this.#guest.memory.attach(this.memory);
  }

  poll(...args: Parameters<PollOneoffImport>): number {
    return pollOneoff(this.#guest, ...args) as number;
  }

  async park(...args: Parameters<PollOneoffImport>): Promise<number> {
    this.#parked = true;
    try {
      return await pollOneoff({ ...this.#guest, waiting: polling }, ...args);
    } finally {
      this.#parked = false;
      if (this.#disposed) this.#release();
    }
  }

  /** A wait in progress continues to its end, as one in the kernel would. */
  dispose(): void {
    this.#disposed = true;
    if (!this.#parked) this.#release();
  }

  #release(): void {
    this.#guest.readiness[Symbol.dispose]();
  }
}
