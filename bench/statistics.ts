/**
 * Medians and quartiles.
 *
 * @module
 */

/** The middle of a list, or the mean of the two in the middle; NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

/** The value below which a part of the others, such as 0.25, is. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * part)] ?? NaN;
}

/** A median with its quartiles, such as "0.95 (0.92–0.99)". */
export function spread(values: readonly number[]): string {
  const low = quantile(values, 0.25).toFixed(2);
  const high = quantile(values, 0.75).toFixed(2);
  return `${median(values).toFixed(2)} (${low}–${high})`;
}
