/**
 * WasmEdge's socket calls for programs under `WasiHost`: sockets that the program
 * opens, binds and connects itself.
 *
 * @example Let a program connect to one address
 * ```ts
 * import { WasiHost } from "@pollux/reactor/wasi";
 * import { wasmEdge } from "@pollux/reactor/wasmedge";
 *
 * const extensions = [wasmEdge({ allow: ["127.0.0.1:8080"] })];
 * const host = new WasiHost({ extensions });
 * ```
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { defineExtension, type WasiExtension } from "../wasi/extension.ts";
import { AddressAllowList } from "./address_allow_list.ts";
import { callsWithin, WAITING } from "./calls.ts";

export type { WasiExtension };

/** Options of `wasmEdge()`. */
export interface WasmEdgeOptions {
  /**
   * The addresses that the program may bind, connect and send to. Forms:
   * "127.0.0.1:8001", "[::1]:8001", "127.0.0.1" for all ports, or the absolute path
   * of a Unix socket. Any other address is EACCES. So is a path once a symbolic link has replaced it,
   * or another directory its own.
   */
  readonly allow: readonly string[];
}

const OPTIONS: OptionNames<WasmEdgeOptions> = { allow: true };

/**
 * Creates an extension for `WasiHostOptions.extensions` with WasmEdge's socket calls,
 * in both variants. Of host names only "localhost" is resolved.
 *
 * Source: WasmEdge, `lib/host/wasi/wasimodule.cpp`.
 *
 * @throws {TypeError} if an entry of `allow` is malformed, or an option is unknown
 *
 * @example
 * ```ts
 * import { WasiHost } from "@pollux/reactor/wasi";
 * import { wasmEdge } from "@pollux/reactor/wasmedge";
 * import { assertEquals } from "@std/assert";
 *
 * const host = new WasiHost({ extensions: [wasmEdge({ allow: ["[::1]:80"] })] });
 * const imports = host.imports["wasi_snapshot_preview1"]!;
 * assertEquals(typeof imports.sock_connect, "function");
 * ```
 */
export function wasmEdge(options: WasmEdgeOptions): WasiExtension {
  checkOptions(options, OPTIONS);
  const allowed = new AddressAllowList(options.allow);
  return defineExtension("wasmedge", callsWithin(allowed), WAITING);
}
