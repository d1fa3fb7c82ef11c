/**
 * The reports of `reactor.diagnose()`, and its options.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { checkCallback } from "../callback.ts";
import type { DescriptorDescription } from "./description.ts";

/** A descriptor that is ready again and again, while its callback makes no progress. */
export interface Spin {
  /** Distinguishes it from a stall. */
  readonly kind: "spin";
  /** The descriptor, with the name of its callback. */
  readonly descriptor: DescriptorDescription;
}

/** A callback that held up the loop. */
export interface Stall {
  /** Distinguishes it from a spin. */
  readonly kind: "stall";
  /** The name of the callback; "(anonymous)" if it has none. */
  readonly callback: string;
  /** The descriptor that was ready; null of a timer and the like. */
  readonly fd: number | null;
  /** How long the callback took. */
  readonly milliseconds: number;
  /** How many stalls of this callback there were since the last report, with this one. */
  readonly count: number;
  /**
   * The calls in which V8's profiler found the callback most often, the innermost first,
   * as in "compress (file:///srv/main.ts)". Functions of JavaScript have their line, too:
   * of TypeScript, V8 knows only the lines that Deno has compiled. Null without `stacks`,
   * and if the callback was too short for a sample.
   */
  readonly stack: readonly string[] | null;
}

/** A fault that `reactor.diagnose()` has detected. */
export type Diagnosis = Spin | Stall;

/** Options of `reactor.diagnose()`. */
export interface DiagnosisOptions {
  /** Milliseconds from which a callback counts as a stall. Default: none does. */
  readonly stallThreshold?: number;
  /**
   * Whether stalls are reported with a stack, by V8's sampling profiler. The report then
   * comes in a later turn of Deno's loop. `docs/observability.md` has the cost.
   * Default: false.
   */
  readonly stacks?: boolean;
  /**
   * Called with each spin, once for each descriptor, and with stalls, once a second for
   * each callback. An error that it throws goes to `onError` of the reactor.
   *
   * Default: prints a line to standard error.
   */
  readonly onDiagnosis?: (diagnosis: Diagnosis) => void;
}

const DIAGNOSIS_OPTIONS: OptionNames<DiagnosisOptions> = {
  stallThreshold: true,
  stacks: true,
  onDiagnosis: true,
};

/**
 * Checks the options, and returns them with their defaults.
 *
 * @throws {TypeError} if an option is unknown, or `onDiagnosis` not a function
 * @throws {RangeError} if the threshold is not positive
 */
export function diagnosisOptionsOf(
  options: DiagnosisOptions,
  print: (diagnosis: Diagnosis) => void,
): Required<DiagnosisOptions> {
  checkOptions(options, DIAGNOSIS_OPTIONS);
  const { stallThreshold = Infinity, stacks = false, onDiagnosis = print } =
    options;
  checkCallback(onDiagnosis);
  if (stallThreshold > 0) return { stallThreshold, stacks, onDiagnosis };
  throw new RangeError(
    `Cannot report stalls of ${stallThreshold} milliseconds`,
  );
}
