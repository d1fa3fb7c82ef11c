/**
 * What all examples share on the command line: `--host` and `--port`, and one
 * clear line instead of a stack trace when something is wrong.
 *
 * @module
 */

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/** The article's address. */
export const HOST = "127.0.0.1";
/** The article's port. */
export const PORT = 8001;

/** What every example may be told. */
export interface CommandLine {
  /** Where to listen, or whom to talk to. */
  readonly host: string;
  /** On which port. */
  readonly port: number;
  /** The other options that the example declared. */
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

/**
 * Reads `--host`, `--port` and the options that an example has beside them. Bad
 * arguments end the program with status 2.
 */
export function parseCommandLine(
  options: ParseArgsOptionsConfig = {},
): CommandLine {
  try {
    const { values } = parseArgs({
      options: {
        host: { type: "string" },
        port: { type: "string" },
        ...options,
      },
    });
    const { host = HOST, port = String(PORT), ...rest } = values as Record<
      string,
      string | undefined
    >;
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
      throw new TypeError(`Cannot use port "${port}": it must be 0 to 65535`);
    }
    return { host, port: Number(port), values: rest };
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(2);
  }
}

/** Runs an example. What fails is one line on standard error, and status 1. */
export async function main(program: () => void | Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    console.error(describe(error));
    Deno.exit(1);
  }
}

/** What failed comes before how: "127.0.0.1:8001: Address already in use (os error 98)". */
function describe(error: unknown): string {
  const { message, detail } = error as Error & { detail?: string };
  return detail === undefined ? message : `${detail}: ${message}`;
}
