/**
 * A wait for time alone, as poll and select without descriptors. Winsock refuses both.
 *
 * @module
 */

import { isWindows } from "./current_system.ts";
import { lazyFunctions } from "./libc.ts";
import { holding } from "./parked_call.ts";
import { toMilliseconds } from "./structs/time.ts";
import { nothing, parked } from "./symbols.ts";

const table = {
  // void Sleep(DWORD dwMilliseconds)
  sleepParked: parked("Sleep", nothing("u32")),
};

const functions = isWindows ? lazyFunctions<typeof table>([table]) : null;

let bell: Int32Array | undefined;

/**
 * Sleeps on this thread.
 *
 * @param timeout Milliseconds; `Infinity` is for ever
 * @returns 0, as a wait that times out
 */
export function sleep(timeout: number): 0 {
  bell ??= new Int32Array(new SharedArrayBuffer(4));
  if (timeout > 0) Atomics.wait(bell, 0, 0, timeout);
  return 0;
}

/** As `sleep`, on another thread; Windows only. */
export async function sleepParked(
  timeout: number,
  referenced: boolean,
): Promise<0> {
  // INFINITE is -1.
  const milliseconds = toMilliseconds(timeout) >>> 0;
  await holding(referenced, functions!.sleepParked(milliseconds));
  return 0;
}
