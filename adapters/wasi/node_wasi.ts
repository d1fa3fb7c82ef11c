/**
 * The calls that `node:wasi` answers: clocks, random bytes, arguments.
 *
 * Its files and standard streams are not used. In Deno 2.9 its files ask for no
 * permission, and a link or ".." leads out of a preopened directory. Its standard
 * streams are always the numbers 0, 1 and 2, and never wait.
 *
 * @module
 */

import type { WASI } from "node:wasi";
import { CLOCKID_REALTIME } from "../../backends/wasi/abi.ts";
import type { GuestCall, GuestCalls } from "./guest.ts";
import type { GuestMemory } from "./memory.ts";
import type { Now } from "./poll_request.ts";

type NodeCall = (...args: unknown[]) => number;

/** The calls that are passed on. `proc_exit` is not: it would end Deno. */
const PASSED_ON = [
  "args_get",
  "args_sizes_get",
  "environ_get",
  "environ_sizes_get",
  "clock_res_get",
  "clock_time_get",
  "proc_raise",
  "random_get",
  "sched_yield",
];

/**
 * Creates the `WASI` of one guest. A static import of `node:wasi` would load Node's
 * modules with this package: 12 ms of every start.
 */
export function createNodeWasi(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): WASI {
  const { WASI } = globalThis.process.getBuiltinModule("node:wasi");
  return new WASI({ version: "preview1", args: [...args], env: { ...env } });
}

/** The calls that `node:wasi` answers. */
export function nodeCalls(wasi: WASI): GuestCalls {
  const inner = wasi.wasiImport as Record<string, NodeCall>;
  const calls: Record<string, GuestCall> = {};
  for (const name of PASSED_ON) {
    const call = inner[name]!;
    calls[name] = (_guest, ...args) => call(...args);
  }
  // It allocates as many bytes as the guest asks for before it checks the pointer.
  calls.random_get = ({ memory }, pointer: number, length: number) => {
    memory.check(pointer, length >>> 0);
    return inner.random_get!(pointer, length);
  };
  return calls;
}

/**
 * The clocks of a guest. Only `node:wasi` knows the starting point of the monotonic
 * clock. It writes the time to the guest's memory, of which eight bytes are saved and
 * restored.
 */
export function clockOf(wasi: WASI, memory: GuestMemory): Now {
  return (clockId) => {
    if (clockId === CLOCKID_REALTIME) return Date.now();
    const { view } = memory;
    const saved = view.getBigUint64(0, true);
    (wasi.wasiImport as Record<string, NodeCall>)
      .clock_time_get!(clockId, 0n, 0);
    const nanoseconds = view.getBigUint64(0, true);
    view.setBigUint64(0, saved, true);
    return Number(nanoseconds) / 1e6;
  };
}
