/**
 * WASI preview 1 from both sides: a host whose programs serve sockets, and a
 * selector for programs that have nothing but `poll_oneoff`.
 *
 * @example Run the smallest program there is
 * ```ts
 * import { WasiHost } from "@pollux/reactor/wasi";
 * import { assertEquals } from "@std/assert";
 *
 * // (module (memory (export "memory") 1) (func (export "_start")))
 * const module = new WebAssembly.Module(
 *   Uint8Array.fromHex(
 *     "0061736d0100000001040160000003020100050301000107130206" +
 *       "6d656d6f72790200065f737461727400000a040102000b",
 *   ),
 * );
 * assertEquals(new WasiHost().run(module), 0);
 * ```
 *
 * @module
 */

export { type FileObject, Socket } from "../../backends/ffi/mod.ts";
export type {
  LoopSelector,
  Selector,
  SelectorKey,
} from "../../backends/selector.ts";
export * from "../../backends/wasi/abi.ts";
export {
  ERRNO,
  type ErrnoName,
  wasiErrno,
  wasiErrnoName,
} from "../../backends/wasi/errno.ts";
export {
  decodeEvent,
  encodeEvent,
  EVENT,
  type Event,
} from "../../backends/wasi/event.ts";
export { decodeFdstat, encodeFdstat, FDSTAT, type Fdstat } from "./fdstat.ts";
export {
  WasiHost,
  type WasiHostOptions,
  type WasiServeOptions,
} from "./host.ts";
export { decodeIovec, encodeIovec, IOVEC, type Iovec } from "./iovec.ts";
export * from "./rights.ts";
export {
  type ClockSubscription,
  decodeSubscription,
  encodeSubscription,
  type FdSubscription,
  SUBSCRIPTION,
  type Subscription,
} from "../../backends/wasi/subscription.ts";
export { SelectorWaiter, type Waiter, type WaitOptions } from "./waiter.ts";
export {
  type PollOneoffImport,
  type PollOneoffPromise,
  WasiSelector,
  type WasiSelectorOptions,
} from "../../backends/wasi_selector.ts";
export type { WasmEdgeOptions } from "../wasmedge/wasmedge.ts";
