/**
 * Results as multiples of a yardstick's.
 *
 * @module
 */

import { median } from "./statistics.ts";

/** Slices, each with figures by their names. */
export interface Measured<Figure extends string> {
  readonly slices: readonly Readonly<Record<Figure, number>>[];
}

/** The figure of each slice as a multiple of the yardstick's in the same round. */
export function ratios<Figure extends string>(
  { slices }: Measured<Figure>,
  unit: Measured<Figure> | null,
  figure: Figure,
): number[] {
  return slices.map((slice, round) =>
    slice[figure] / (unit?.slices[round]?.[figure] ?? NaN)
  );
}

/** The median ratio, times the yardstick's median. Without a yardstick, its own median. */
export function scaled<Figure extends string>(
  result: Measured<Figure>,
  unit: Measured<Figure> | null,
  figure: Figure,
): number {
  const middle = median((unit ?? result).slices.map((slice) => slice[figure]));
  return unit === null ? middle : middle * median(ratios(result, unit, figure));
}
