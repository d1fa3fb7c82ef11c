/**
 * What belongs to one guest.
 *
 * @module
 */

import type { FdTable } from "./fd_table.ts";
import type { GuestDescriptor } from "./guest_file.ts";
import type { GuestMemory } from "./memory.ts";
import type { Now } from "./poll_request.ts";
import type { Readiness } from "./readiness.ts";

/** What the calls of one guest work on. */
export interface Guest {
  /** Its memory. */
  readonly memory: GuestMemory;
  /** Its descriptors. */
  readonly table: FdTable<GuestDescriptor>;
  /** What of the host's it waits for. */
  readonly readiness: Readiness;
  /** What time it thinks it is. */
  readonly now: Now;
}

/**
 * A function that a guest imports. It returns an error number, later if the
 * guest is suspended meanwhile.
 */
// deno-lint-ignore no-explicit-any
export type GuestCall = (...args: any[]) => number | Promise<number>;

/** Functions that a guest imports, by name. */
export type GuestCalls = Record<string, GuestCall>;
