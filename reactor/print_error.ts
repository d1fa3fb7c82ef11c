/**
 * Where errors go that nothing else takes.
 *
 * @module
 */

import { requireDescriptors } from "../backends/ffi/descriptor.ts";
import { isSystemError } from "../backends/ffi/errors.ts";

/** Deno opens the files of a stack one by one, and a pipe has two ends. */
const STACK_DESCRIPTORS = 2;

/**
 * Writes an error to standard error: with its stack, unless there is no descriptor
 * left. Then Deno could not open the files that the stack names, and would end the
 * process.
 */
export function printError(error: unknown): void {
  console.error(canPrintStack() ? error : String(error));
}

function canPrintStack(): boolean {
  try {
    requireDescriptors(STACK_DESCRIPTORS);
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}
