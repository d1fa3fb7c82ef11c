/**
 * The measurements of one server in one scenario.
 *
 * @module
 */

import type { Percentiles } from "./load/latencies.ts";
import type { Peer } from "./peers/peer.ts";
import type { Scenario } from "./scenarios.ts";

/** The measurements of one slice. */
export interface Slice {
  /** Messages a second. */
  readonly rate: number;
  /** Microseconds of the server's CPU for a message. */
  readonly cpu: number;
  /** The median of its messages' latencies, in microseconds. */
  readonly p50: number;
  /** The part of a core that the load has used. */
  readonly loadShare: number;
  /** Messages that were never answered. */
  readonly lost: number;
  /** Messages that were answered. */
  readonly answered: number;
}

/** The measurements of one server in one scenario. */
export interface Result {
  readonly peer: string;
  readonly scenario: string;
  /** The server to which its ratios refer. */
  readonly unit: string;
  /** The slices, in the order of the rounds; empty if memory is measured. */
  readonly slices: readonly Slice[];
  /** The part of the CPU time that was spent outside the kernel. */
  readonly userShare: number;
  readonly latency: Percentiles | null;
  /** System calls for a message, or why they were not counted; null outside a group. */
  readonly calls: number | string | null;
  /** Bytes of the server's memory for each connection; null if not measured. */
  readonly bytesPerConnection: number | null;
  /** Why there is no result. */
  readonly failure: string | null;
}

/** A result with the given measurements, and none of the others. */
export function resultOf(
  peer: Peer,
  scenario: Scenario,
  measured: Partial<Result>,
): Result {
  return {
    peer: peer.name,
    scenario: scenario.name,
    unit: peer.unit ?? peer.name,
    slices: [],
    userShare: NaN,
    latency: null,
    calls: null,
    bytesPerConnection: null,
    failure: null,
    ...measured,
  };
}
