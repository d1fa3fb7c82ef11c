/**
 * Where, when and how something is measured: numbers mean nothing without it.
 *
 * @module
 */

import { busyShare, kernelRelease, processorName } from "./proc.ts";

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
 * the load has to be that of other programs. The load average also has that of an
 * earlier table, the share of the CPU has not.
 */
export function circumstances(
  { versions = [], rounds, slice }: Circumstances = {},
): string {
  const load = Deno.loadavg()[0]!.toFixed(2);
  const busy = Math.round(busyShare() * 100);
  const machine = [
    `${processorName()}, ${navigator.hardwareConcurrency} cores`,
    `Linux ${kernelRelease()}`,
    `Deno ${Deno.version.deno}`,
    ...versions,
  ];
  const run = [
    `Load average ${load} and CPU ${busy} % busy before`,
    ...(rounds === undefined ? [] : [`${rounds} rounds`]),
    ...(slice === undefined ? [] : [`slices of ${slice} ms`]),
    new Date().toISOString().slice(0, 10),
  ];
  return `${machine.join("; ")}. ${run.join("; ")}`;
}
