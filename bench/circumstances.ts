/**
 * Where, when and how something is measured: numbers mean nothing without it.
 *
 * @module
 */

import { kernelRelease, processorName } from "./proc.ts";

/** Facts that `circumstances()` adds to those of the machine. */
export interface Circumstances {
  /** Further programs, such as "Node.js v24.1.0". */
  readonly versions?: Iterable<string>;
  /** How often each row is measured. */
  readonly rounds?: number;
  /** How long one measurement takes, in milliseconds. */
  readonly slice?: number;
}

/**
 * The machine, its load, the versions and the date. Call it before measuring, since
 * the load average has to be that of other programs.
 */
export function circumstances(
  { versions = [], rounds, slice }: Circumstances = {},
): string {
  const load = Deno.loadavg()[0]!.toFixed(2);
  return [
    `${processorName()}, ${navigator.hardwareConcurrency} cores`,
    `Linux ${kernelRelease()}`,
    `Deno ${Deno.version.deno}`,
    ...versions,
    `load average ${load} before`,
    ...(rounds === undefined ? [] : [`${rounds} rounds`]),
    ...(slice === undefined ? [] : [`slices of ${slice} ms`]),
    new Date().toISOString().slice(0, 10),
  ].join("; ");
}
