/**
 * The rows of `reactor.describe()`.
 *
 * @module
 */

import type { FileDescription } from "../../backends/ffi/file_description.ts";

/**
 * A descriptor that a reactor watches or owns. A count that is kept only by
 * `diagnose()` is null without it. Times are milliseconds of `performance.now()`.
 */
export interface DescriptorDescription {
  /** Distinguishes it from a timer. */
  readonly subject: "descriptor";
  /** The descriptor; -1 of a connection that is still connecting. */
  readonly fd: number;
  /** The answer of the system for the descriptor. */
  readonly file: FileDescription;
  /** The object of the reactor that owns it; "program" if `register()` added it. */
  readonly role:
    | "program"
    | "acceptor"
    | "connection"
    | "stream"
    | "datagram"
    | "endpoint";
  /** The name of the callback that is called next; empty if there is none. */
  readonly callback: string;
  /** The `EVENT_*` and `MODE_*` that are asked for; 0 while it is not registered. */
  readonly events: number;
  /** Whether it was paused, or an acceptor rests or is full. */
  readonly paused: boolean;
  /** Bytes that are queued to be sent. */
  readonly bytesQueued: number;
  /** When it was registered; null if that was before `diagnose()`. */
  readonly since: number | null;
  /** How often it was ready. */
  readonly ready: number | null;
  /** How often in a row it was ready while nothing was read, written or accepted. */
  readonly idle: number | null;
  /** Bytes that were read from it since `diagnose()`, except by other libraries. */
  readonly bytesRead: number | null;
  /** Bytes that were written to it since `diagnose()`, except by other libraries. */
  readonly bytesWritten: number | null;
}

/** A timer of a reactor. */
export interface TimerDescription {
  /** Distinguishes it from a descriptor. */
  readonly subject: "timer";
  /** When it is due next, in milliseconds of `performance.now()`. */
  readonly deadline: number;
  /** Milliseconds between calls; 0 if it is called once. */
  readonly interval: number;
  /** Whether it keeps `run()` going. */
  readonly referenced: boolean;
  /** The name of its callback; empty if it has none. */
  readonly callback: string;
}

/** A row of `reactor.describe()`. */
export type Description = DescriptorDescription | TimerDescription;
