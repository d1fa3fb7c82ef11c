/**
 * The arguments of measurements by rounds.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { which } from "./peers/peer.ts";

/** How often and how long each row is measured, and how the table is printed. */
export interface Arguments {
  readonly rounds: number;
  /** In seconds. */
  readonly slice: number;
  readonly markdown: boolean;
}

/** Reads `--rounds`, `--slice` and `--markdown`. */
export function parseArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "12" },
      slice: { type: "string", default: "1" },
      markdown: { type: "boolean", default: false },
    },
  });
  return {
    rounds: Number(values.rounds),
    slice: Number(values.slice),
    markdown: values.markdown,
  };
}

/** Asserts that programs are installed. */
export async function requirePrograms(...commands: string[]): Promise<void> {
  for (const command of commands) {
    if (await which(command) === null) {
      throw new Error(`${command} is not installed`);
    }
  }
}
