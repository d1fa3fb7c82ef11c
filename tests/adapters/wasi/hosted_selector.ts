/**
 * A `WasiSelector` against our own host, for the conformance suite.
 */

import { PollSelector } from "../../../backends/mod.ts";
import { isOpen } from "../../../backends/ffi/descriptor.ts";
import {
  type PollOneoffImport,
  SelectorWaiter,
  WasiSelector,
} from "../../../adapters/wasi/mod.ts";
import { FdTable } from "../../../adapters/wasi/fd_table.ts";
import type { Guest } from "../../../adapters/wasi/guest.ts";
import type { GuestDescriptor } from "../../../adapters/wasi/guest_file.ts";
import { GuestStdio } from "../../../adapters/wasi/guest_stdio.ts";
import { GuestMemory } from "../../../adapters/wasi/memory.ts";
import { PollOneoff } from "../../../adapters/wasi/poll_oneoff.ts";
import { Readiness } from "../../../adapters/wasi/readiness.ts";
import {
  blockingSleeper,
  SuspendingSleeper,
} from "../../../adapters/wasi/sleeper.ts";

/** A guest's numbers that are the host's own: the suite speaks of those. */
class HostTable extends FdTable<GuestDescriptor> {
  override get(fd: number): GuestDescriptor | undefined {
    return fd >= 0 && isOpen(fd) ? new GuestStdio(fd, "input") : undefined;
  }
}

/** A selector whose `poll_oneoff` is our host's. */
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

/** As much of a host as a selector needs. */
class Host {
  readonly memory = new WebAssembly.Memory({ initial: 1 });
  readonly #guest: Guest = {
    memory: new GuestMemory(),
    table: new HostTable(),
    readiness: new Readiness(() => new PollSelector<unknown>()),
    now: () => performance.now(),
  };
  readonly #waiter = new SelectorWaiter(new PollSelector<unknown>());
  readonly #poll = new PollOneoff(this.#guest, blockingSleeper);
  readonly #park = new PollOneoff(
    this.#guest,
    new SuspendingSleeper(this.#waiter),
  );
  #parked = false;
  #disposed = false;

  constructor() {
    this.#guest.memory.attach(this.memory);
  }

  poll(...args: Parameters<PollOneoffImport>): number {
    return this.#poll.call(...args) as number;
  }

  async park(...args: Parameters<PollOneoffImport>): Promise<number> {
    this.#parked = true;
    try {
      return await this.#park.call(...args);
    } finally {
      this.#parked = false;
      if (this.#disposed) this.#release();
    }
  }

  /** A wait that is under way goes on to its end, as one in the kernel would. */
  dispose(): void {
    this.#disposed = true;
    if (!this.#parked) this.#release();
  }

  #release(): void {
    this.#guest.readiness[Symbol.dispose]();
    this.#waiter[Symbol.dispose]();
  }
}
