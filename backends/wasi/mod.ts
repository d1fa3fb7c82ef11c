/**
 * WASI preview 1 from both sides: a host whose programs serve sockets, and a
 * selector for programs that have nothing but `poll_oneoff`.
 *
 * @example Run a program that finds a listener as its descriptor 3
 * ```ts ignore
 * import { Socket, WasiHost } from "@pollux/reactor";
 *
 * using listener = Socket.create("IPv4", "stream");
 * listener.bind({ hostname: "127.0.0.1", port: 8001 });
 * listener.listen();
 *
 * const host = new WasiHost({ args: ["echo"], sockets: [listener] });
 * const module = await WebAssembly.compile(await Deno.readFile("echo.wasm"));
 * Deno.exit(await host.serve(module));
 * ```
 *
 * @module
 */

export { BaseSelector } from "../base_selector.ts";
export { type FileObject, Socket } from "../ffi/mod.ts";
export type { Selector, SelectorKey } from "../selector.ts";
export * from "./abi.ts";
export { ERRNO, type ErrnoName, wasiErrno, wasiErrnoName } from "./errno.ts";
export { decodeEvent, encodeEvent, EVENT, type Event } from "./event.ts";
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
} from "./subscription.ts";
export { SelectorWaiter, type Waiter, type WaitOptions } from "./waiter.ts";
export {
  type PollOneoffImport,
  type PollOneoffPromise,
  WasiSelector,
  type WasiSelectorOptions,
} from "./wasi_selector.ts";
export type { WasmEdgeOptions } from "./wasmedge.ts";
