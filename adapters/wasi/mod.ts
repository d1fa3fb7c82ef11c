/**
 * WASI preview 1 from both sides: a host for programs that serve sockets, and a
 * selector for programs whose only readiness call is `poll_oneoff`.
 *
 * @example Run the smallest program
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

export { wasiErrnoName } from "../../backends/wasi/errno.ts";
export {
  type PollOneoffImport,
  type PollOneoffPromise,
  WasiSelector,
  type WasiSelectorOptions,
} from "../../backends/wasi_selector.ts";
export type { WasiExtension } from "./extension.ts";
export {
  WasiHost,
  type WasiHostOptions,
  type WasiServeOptions,
} from "./host.ts";
