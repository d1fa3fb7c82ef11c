/**
 * A WASI program whose instructions are a test's own: it calls its imports with
 * pointers into its memory, as compiled code does.
 */

import { assertEquals } from "@std/assert";
import {
  type ClockSubscription,
  decodeEvent,
  decodeFdstat,
  encodeIovec,
  encodeSubscription,
  ERRNO,
  EVENT,
  type Event,
  FDSTAT,
  type Fdstat,
  IOVEC,
  SUBSCRIPTION,
  type Subscription,
  WasiHost,
  type WasiHostOptions,
} from "../../../adapters/wasi/mod.ts";

/** The functions of preview 1, as a program sees them. */
type Imports = Record<string, (...args: unknown[]) => number>;

/** What a program knows of itself. */
export class Program {
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

  /** Some memory that nothing else uses, all zeros. */
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
    assertEquals(errnoName(this.call(name, ...args)), "ESUCCESS", name);
  }

  /** `poll_oneoff`. */
  poll(...subscriptions: Subscription[]): Event[] {
    const count = subscriptions.length;
    const at = this.allocate(count * SUBSCRIPTION.size);
    const events = this.allocate(count * EVENT.size);
    const stored = this.allocate(4);
    subscriptions.forEach((subscription, index) =>
      encodeSubscription(
        this.view,
        at + index * SUBSCRIPTION.size,
        subscription,
      )
    );
    this.must("poll_oneoff", at, events, count, stored);
    return Array.from(
      { length: this.view.getUint32(stored, true) },
      (_, index) => decodeEvent(this.view, events + index * EVENT.size),
    );
  }

  /** An array of iovecs for new buffers of these lengths. */
  buffers(...lengths: number[]): { iovecs: number; pointers: number[] } {
    const pointers = lengths.map((length) => this.allocate(length));
    const iovecs = this.allocate(lengths.length * IOVEC.size);
    lengths.forEach((length, index) =>
      encodeIovec(this.view, iovecs + index * IOVEC.size, {
        pointer: pointers[index]!,
        length,
      })
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
      errno: errnoName(errno),
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
      errno: errnoName(errno),
      count: this.view.getUint32(stored, true),
    };
  }

  /** `sock_accept`. */
  accept(fd: number, flags = 0): { errno: string; fd: number } {
    const stored = this.allocate(4);
    const errno = this.call("sock_accept", fd, flags, stored);
    return {
      errno: errnoName(errno),
      fd: this.view.getUint32(stored, true),
    };
  }

  /** `fd_fdstat_get`. */
  fdstat(fd: number): Fdstat {
    const at = this.allocate(FDSTAT.size);
    this.must("fd_fdstat_get", fd, at);
    return decodeFdstat(this.view, at);
  }

  text(at: number, length: number): string {
    return new TextDecoder().decode(this.bytes.slice(at, at + length));
  }

  write(at: number, text: string): void {
    this.bytes.set(new TextEncoder().encode(text), at);
  }
}

/** The name of an error number. */
export function errnoName(errno: number): string {
  const entry = Object.entries(ERRNO).find(([, number]) => number === errno);
  return entry?.[0] ?? String(errno);
}

/** Runs a program, which has 64 KiB times `pages` or the memory given, on a host of its own. */
export function runProgram(
  options: WasiHostOptions,
  body: (program: Program) => void,
  pages: number | WebAssembly.Memory = 1,
): number {
  const host = new WasiHost(options);
  const memory = typeof pages === "number"
    ? new WebAssembly.Memory({ initial: pages })
    : pages;
  const imports = host.imports["wasi_snapshot_preview1"] as Imports;
  const program = new Program(imports, memory);
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
    precision: 0n,
    absolute: false,
  };
}
