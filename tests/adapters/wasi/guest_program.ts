/**
 * A WASI program whose instructions are a test's own: it calls its imports with
 * pointers into its memory, as compiled code does.
 */

import { assertEquals } from "@std/assert";
import {
  EVENTTYPE_FD_READ,
  EVENTTYPE_FD_WRITE,
  SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME,
} from "../../../backends/wasi/abi.ts";
import { wasiErrnoName } from "../../../backends/wasi/errno.ts";
import {
  EVENT,
  SUBSCRIPTION,
  writeClockSubscription,
  writeFdSubscription,
} from "../../../backends/wasi/layout.ts";
import { FDSTAT, type Fdstat } from "../../../adapters/wasi/fdstat.ts";
import { IOVEC } from "../../../adapters/wasi/iovec.ts";
import { WasiHost, type WasiHostOptions } from "../../../adapters/wasi/mod.ts";

/** A subscription to a clock. */
export interface ClockSubscription {
  readonly userdata: bigint;
  readonly type: "clock";
  readonly clockId: number;
  /** Nanoseconds. */
  readonly timeout: bigint;
  readonly absolute: boolean;
}

/** A subscription to a descriptor. */
export interface FdSubscription {
  readonly userdata: bigint;
  readonly type: "read" | "write";
  readonly fd: number;
}

export type Subscription = ClockSubscription | FdSubscription;

/** A `__wasi_event_t`. */
export interface Event {
  readonly userdata: bigint;
  readonly error: number;
  readonly type: number;
  readonly nbytes: bigint;
  readonly flags: number;
}

/** Writes a subscription, as a program does before `poll_oneoff`. */
export function writeSubscription(
  view: DataView,
  at: number,
  subscription: Subscription,
): void {
  const { userdata } = subscription;
  if (subscription.type !== "clock") {
    const type = subscription.type === "read"
      ? EVENTTYPE_FD_READ
      : EVENTTYPE_FD_WRITE;
    return writeFdSubscription(view, at, userdata, type, subscription.fd);
  }
  const { clockId, timeout, absolute } = subscription;
  writeClockSubscription(view, at, userdata, timeout);
  view.setUint32(at + SUBSCRIPTION.clockId, clockId, true);
  const flags = absolute ? SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0;
  view.setUint16(at + SUBSCRIPTION.flags, flags, true);
}

/** Writes an iovec, as a program does before it reads or writes. */
export function writeIovec(
  view: DataView,
  at: number,
  pointer: number,
  length: number,
): void {
  view.setUint32(at + IOVEC.pointer, pointer, true);
  view.setUint32(at + IOVEC.length, length, true);
}

function readEvent(view: DataView, at: number): Event {
  return {
    userdata: view.getBigUint64(at + EVENT.userdata, true),
    error: view.getUint16(at + EVENT.error, true),
    type: view.getUint8(at + EVENT.type),
    nbytes: view.getBigUint64(at + EVENT.nbytes, true),
    flags: view.getUint16(at + EVENT.flags, true),
  };
}

/** The functions of preview 1, as a program sees them. */
type Imports = Record<string, (...args: unknown[]) => number>;

/** The program's view of its memory and its imports. */
export class GuestProgram {
  readonly memory: WebAssembly.Memory;
  readonly imports: Imports;
  #free = 1024;

  constructor(imports: Imports, memory: WebAssembly.Memory) {
    this.imports = imports;
    this.memory = memory;
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  /** Returns unused memory, filled with zeros. */
  allocate(length: number): number {
    const at = this.#free;
    this.#free += length + 7 & ~7;
    return at;
  }

  /** Calls an import, and returns its error number. */
  call(name: string, ...args: unknown[]): number {
    return this.imports[name]!(...args);
  }

  /** Calls an import that has to succeed. */
  must(name: string, ...args: unknown[]): void {
    assertEquals(wasiErrnoName(this.call(name, ...args)), "ESUCCESS", name);
  }

  /** `poll_oneoff`. */
  poll(...subscriptions: Subscription[]): Event[] {
    const count = subscriptions.length;
    const at = this.allocate(count * SUBSCRIPTION.size);
    const events = this.allocate(count * EVENT.size);
    const stored = this.allocate(4);
    subscriptions.forEach((subscription, index) =>
      writeSubscription(
        this.view,
        at + index * SUBSCRIPTION.size,
        subscription,
      )
    );
    this.must("poll_oneoff", at, events, count, stored);
    return Array.from(
      { length: this.view.getUint32(stored, true) },
      (_, index) => readEvent(this.view, events + index * EVENT.size),
    );
  }

  /** An array of iovecs for new buffers of these lengths. */
  buffers(...lengths: number[]): { iovecs: number; pointers: number[] } {
    const pointers = lengths.map((length) => this.allocate(length));
    const iovecs = this.allocate(lengths.length * IOVEC.size);
    lengths.forEach((length, index) =>
      writeIovec(
        this.view,
        iovecs + index * IOVEC.size,
        pointers[index]!,
        length,
      )
    );
    return { iovecs, pointers };
  }

  /** `sock_recv` into one buffer. */
  receive(
    fd: number,
    length = 64,
    flags = 0,
  ): { errno: string; text: string; flags: number } {
    const { iovecs, pointers } = this.buffers(length);
    const stored = this.allocate(8);
    const errno = this.call(
      "sock_recv",
      fd,
      iovecs,
      1,
      flags,
      stored,
      stored + 4,
    );
    const count = errno === 0 ? this.view.getUint32(stored, true) : 0;
    return {
      errno: wasiErrnoName(errno),
      text: this.text(pointers[0]!, count),
      flags: this.view.getUint16(stored + 4, true),
    };
  }

  /** `sock_send` or `fd_write` of one piece for each text. */
  send(
    fd: number,
    texts: string[],
    name: "sock_send" | "fd_write" = "sock_send",
  ): { errno: string; count: number } {
    const { iovecs, pointers } = this.buffers(...texts.map((t) => t.length));
    texts.forEach((text, index) => this.write(pointers[index]!, text));
    const stored = this.allocate(4);
    const flags = name === "sock_send" ? [0] : [];
    const errno = this.call(name, fd, iovecs, texts.length, ...flags, stored);
    return {
      errno: wasiErrnoName(errno),
      count: this.view.getUint32(stored, true),
    };
  }

  /** `sock_accept`. */
  accept(fd: number, flags = 0): { errno: string; fd: number } {
    const stored = this.allocate(4);
    const errno = this.call("sock_accept", fd, flags, stored);
    return {
      errno: wasiErrnoName(errno),
      fd: this.view.getUint32(stored, true),
    };
  }

  /** `fd_fdstat_get`. */
  fdstat(fd: number): Fdstat {
    const at = this.allocate(FDSTAT.size);
    this.must("fd_fdstat_get", fd, at);
    const { view } = this;
    return {
      filetype: view.getUint8(at + FDSTAT.filetype),
      flags: view.getUint16(at + FDSTAT.flags, true),
      rightsBase: view.getBigUint64(at + FDSTAT.rightsBase, true),
      rightsInheriting: view.getBigUint64(at + FDSTAT.rightsInheriting, true),
    };
  }

  text(at: number, length: number): string {
    return new TextDecoder().decode(this.bytes.slice(at, at + length));
  }

  write(at: number, text: string): void {
    this.bytes.set(new TextEncoder().encode(text), at);
  }
}

/** Runs a program on a host of its own, with so many pages of memory, or this memory. */
export function runProgram(
  options: WasiHostOptions,
  body: (program: GuestProgram) => void,
  pages: number | WebAssembly.Memory = 1,
): number {
  const host = new WasiHost(options);
  const memory = typeof pages === "number"
    ? new WebAssembly.Memory({ initial: pages })
    : pages;
  const imports = host.imports["wasi_snapshot_preview1"] as Imports;
  const program = new GuestProgram(imports, memory);
  return host.start({ exports: { memory, _start: () => body(program) } });
}

/** A subscription to a descriptor. */
export function onFd(
  type: "read" | "write",
  fd: number,
  userdata = 0n,
): Subscription {
  return { userdata, type, fd };
}

/** A subscription to a clock, in milliseconds from now. */
export function onClock(
  milliseconds: number,
  userdata = 99n,
): ClockSubscription {
  return {
    userdata,
    type: "clock",
    clockId: 1,
    timeout: BigInt(Math.round(milliseconds * 1e6)),
    absolute: false,
  };
}
