/**
 * The default `onError`.
 *
 * @module
 */

import { requireDescriptors } from "../backends/ffi/descriptor.ts";
import { isSystemError } from "../backends/ffi/errors.ts";
import { now } from "./clock.ts";
import { ReportLimit } from "./reports.ts";

/** Descriptors to print a stack: Deno opens its files one by one, and a pipe has two ends. */
const STACK_DESCRIPTORS = 2;

/**
 * Creates a function that prints errors to standard error. Of errors with the same stack
 * it prints one a second: neither a failing callback nor a peer can fill a log.
 */
export function createErrorPrinter(): (error: unknown) => void {
  const limit = new ReportLimit();
  return (error) => {
    const withStack = canPrintStack();
    const kind = withStack ? stackOf(error) : String(error);
    if (!limit.admits(kind, now())) return;
    console.error(withStack ? error : String(error));
    if (limit.refused > 0) {
      console.error(`${limit.refused} more like it were not printed`);
    }
  };
}

/**
 * Returns whether enough descriptors are free to read the stack of an error. Deno opens
 * the files that a stack names, and ends the process if it cannot.
 */
function canPrintStack(): boolean {
  try {
    requireDescriptors(STACK_DESCRIPTORS);
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

/** Returns the frames of an error without its message, which a peer may vary. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frames = (error.stack ?? "").split("\n").filter(isFrame);
  return `${error.name}\n${frames.join("\n")}`;
}

function isFrame(line: string): boolean {
  return line.startsWith("    at ");
}
