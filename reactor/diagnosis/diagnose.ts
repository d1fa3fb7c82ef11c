/**
 * Begins and ends the diagnosis of a loop.
 *
 * @module
 */

import type { Loop } from "../loop.ts";
import { openChannels } from "./channels.ts";
import type { Described } from "./describe.ts";
import { type DiagnosisOptions, diagnosisOptionsOf } from "./diagnosis.ts";
import { Observation } from "./observation.ts";
import { printDiagnosis } from "./printing.ts";
import { StackSampler } from "./stack_sampler.ts";

/** The last call for each loop: an earlier one that still loads has no effect. */
const calls = new WeakMap<Loop, number>();

/** Loads the modules of Node, and begins a diagnosis in place of the present one. */
export async function diagnose(
  described: Described,
  options: DiagnosisOptions | false,
): Promise<void> {
  const { loop } = described;
  // Wrong options change nothing: not even an earlier call that still loads.
  const complete = options === false
    ? null
    : diagnosisOptionsOf(options, printDiagnosis);
  const call = (calls.get(loop) ?? 0) + 1;
  calls.set(loop, call);
  if (complete === null) return loop.dispatcher.observer?.end();
  const { stallThreshold, stacks } = complete;
  const channels = await openChannels();
  const sampler = stacks && stallThreshold !== Infinity
    ? await StackSampler.begin(stallThreshold)
    : null;
  if (loop.closed || calls.get(loop) !== call) return sampler?.close();
  loop.dispatcher.observer?.end();
  new Observation(described, complete, channels, sampler);
}
