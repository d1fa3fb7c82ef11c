/**
 * What all examples share on the command line: `--host` and `--port`, and one
 * clear line instead of a stack trace when something is wrong.
 *
 * @module
 */

import { isIP } from "node:net";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { type InternetAddress, isSystemError } from "../mod.ts";

/** The article's address. */
export const HOST = "127.0.0.1";
/** The article's port. */
export const PORT = 8001;

/** What every example may be told. */
export interface CommandLine {
  /** Where to listen, or whom to talk to. */
  readonly address: InternetAddress;
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
  return orRefuse(() => {
    const { values } = parseArgs({
      options: {
        host: { type: "string", default: HOST },
        port: { type: "string", default: String(PORT) },
        ...options,
      },
    });
    const { host, port, ...rest } = values as Record<string, string>;
    return {
      address: { hostname: parseHost(host!), port: parsePort(port!) },
      values: rest,
    };
  });
}

/** Parses arguments in a way of the example's own; what that throws ends the program with status 2. */
export function orRefuse<Result>(parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    refuse((error as Error).message);
  }
}

/** Ends the program because of its arguments: one line says why, and the status is 2. */
export function refuse(message: string): never {
  console.error(message.split("\n")[0]);
  Deno.exit(2);
}

/**
 * Checks an address. Names cannot be looked up: that would take a permission more.
 *
 * @throws {TypeError} if it is none
 */
export function parseHost(host: string): string {
  if (host === "localhost") return HOST;
  // An interface is given by its number: "fe80::1%2".
  if (isIP(host) !== 0 && !/%.*\D/.test(host)) return host;
  throw new TypeError(
    `Cannot use host "${host}": it must be an address like 127.0.0.1 or ::1`,
  );
}

/**
 * Checks the number of a port.
 *
 * @throws {TypeError} if it is none
 */
export function parsePort(port: string): number {
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65535) return Number(port);
  throw new TypeError(`Cannot use port "${port}": it must be 0 to 65535`);
}

/**
 * Runs an example. What the system refuses is one line on standard error, and
 * status 1; only a mistake of the program's own has a stack trace.
 */
export async function main(program: () => void | Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    report(error);
    Deno.exit(1);
  }
}

/**
 * Calls back at Ctrl-C, in a program that shares its thread with Deno. The first listener
 * opens two sockets: without one Deno opens them half a second after its start, and
 * panics if there is no descriptor left by then.
 */
export function onInterrupt(callback: () => unknown): void {
  Deno.addSignalListener("SIGINT", callback);
}

/** Tells what went wrong while a server goes on: the `onError` of its reactor. */
export function report(error: unknown): void {
  console.error(isRefusal(error) ? describe(error) : error);
}

function isRefusal(error: unknown): error is Error {
  return isSystemError(error) || error instanceof Deno.errors.NotCapable ||
    error instanceof Deno.errors.NotSupported;
}

/** What failed comes before how: "127.0.0.1:8001: Address already in use (os error 98)". */
function describe(error: Error & { detail?: string }): string {
  const { message, detail } = error;
  return detail === undefined ? message : `${detail}: ${message}`;
}
