/**
 * A call on another thread that takes some microseconds, and has no other effect.
 *
 * Deno's event loop is a task of tokio, which polls I/O when it has nothing else to do.
 * That is so while the loop waits for this call. A call that returns at once does not
 * suffice: its result is there before tokio polls.
 *
 * @module
 */

import { libc } from "./libc.ts";
import { holding } from "./parked_call.ts";

/** Bytes that the call copies, about 10 µs of work. */
const BYTES = 64 * 1024;

let memory: Uint8Array<ArrayBuffer> | undefined;

/** Resolves when Deno has polled I/O. */
export async function briefCall(): Promise<void> {
  memory ??= new Uint8Array(new ArrayBuffer(2 * BYTES));
  const [to, from] = [memory.subarray(0, BYTES), memory.subarray(BYTES)];
  await holding(true, libc().memcpyParked(to, from, BYTES), memory);
}
