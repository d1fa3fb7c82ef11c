/**
 * How much a benchmark does.
 *
 * @module
 */

/** How long and how often servers are measured. */
export interface Effort {
  /** How many slices each server has. */
  readonly rounds: number;
  /** How long a slice is, in milliseconds. */
  readonly slice: number;
  /** How long a server is loaded before its first slice, at least, in milliseconds. */
  readonly warmUp: number;
  /** Whether standard error of the servers is shown. */
  readonly verbose: boolean;
  /** Called before each step. */
  progress(step: string): void;
}
