/**
 * The state of one guest, and the functions that it imports.
 *
 * @module
 */

import type { FdTable } from "./fd_table.ts";
import type { GuestDescriptor } from "./guest_file.ts";
import type { GuestMemory } from "./memory.ts";
import type { Now, PollRequest } from "./poll_request.ts";
import type { Readiness } from "./readiness.ts";
import type { Waiting } from "./waiting.ts";

/** The state that the calls of one guest share. */
export interface Guest {
  readonly memory: GuestMemory;
  readonly table: FdTable<GuestDescriptor>;
  /** Which of the host's files the guest waits for. */
  readonly readiness: Readiness;
  /** The subscriptions of the current `poll_oneoff`. */
  readonly request: PollRequest;
  /** The guest's clocks. */
  readonly now: Now;
  /** How the guest waits. */
  readonly waiting: Waiting;
}

/**
 * A call of a guest. It returns an error number, later if the guest is suspended.
 */
// deno-lint-ignore no-explicit-any -- each call has parameters of its own
export type GuestCall = (guest: Guest, ...args: any[]) =>
  | number
  | Promise<number>;

/** Calls of a guest, by name. */
export type GuestCalls = Readonly<Record<string, GuestCall>>;
