/**
 * Where, when and with what: the line without which numbers are worth nothing.
 *
 * @module
 */

import { kernelRelease, processorName } from "./proc.ts";

/**
 * The machine, the system and the date.
 *
 * @param versions What else took part, such as "Node.js v24.1.0"
 */
export function circumstances(versions: Iterable<string> = []): string {
  return [
    `${processorName()}, ${navigator.hardwareConcurrency} cores`,
    `Linux ${kernelRelease()}`,
    `Deno ${Deno.version.deno}`,
    ...versions,
    new Date().toISOString().slice(0, 10),
  ].join("; ");
}
