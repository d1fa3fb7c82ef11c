/**
 * Results as multiples of a yardstick's.
 *
 * @module
 */

import type { Result } from "./result.ts";
import { median } from "./statistics.ts";

/** The figures that are compared. */
export type Figure = "cpu" | "p50";

/** The figure of each slice as a multiple of the yardstick's in the same round. */
export function ratios(
  { slices }: Result,
  unit: Result | null,
  figure: Figure,
): number[] {
  return slices.map((slice, round) =>
    slice[figure] / (unit?.slices[round]?.[figure] ?? NaN)
  );
}

/** The median ratio, times the yardstick's median. Without a yardstick, its own median. */
export function scaled(
  result: Result,
  unit: Result | null,
  figure: Figure,
): number {
  const middle = median((unit ?? result).slices.map((slice) => slice[figure]));
  return unit === null ? middle : middle * median(ratios(result, unit, figure));
}
