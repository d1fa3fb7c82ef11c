/**
 * The command line that all examples share: `--host`, `--port`, and one line instead
 * of a stack trace if something is wrong.
 *
 * @module
 */

import { isIP } from "node:net";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { type InternetAddress, isSystemError } from "../mod.ts";

/** The address in docs/io_multiplexing.md. */
export const HOST = "127.0.0.1";
/** The port in docs/io_multiplexing.md. */
export const PORT = 8001;

/** The arguments of an example. */
export interface CommandLine {
  /** The address to listen on, or to connect to. */
  readonly address: InternetAddress;
  /** The options that the example has in addition. */
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

/**
 * Reads `--host`, `--port` and the options that an example has in addition. Bad
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

/** Parses arguments by a function of the example. An error ends the program with status 2. */
export function orRefuse<Result>(parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    refuse((error as Error).message);
  }
}

/** Ends the program because of its arguments, with one line that says why, and status 2. */
export function refuse(message: string): never {
  console.error(message.split("\n")[0]);
  Deno.exit(2);
}

/**
 * Checks an address. Names are not resolved, which would need another permission.
 *
 * @throws {TypeError} if it is not an address
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
 * @throws {TypeError} if it is not a port
 */
export function parsePort(port: string): number {
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65535) return Number(port);
  throw new TypeError(`Cannot use port "${port}": it must be 0 to 65535`);
}

/**
 * Runs an example. An error of the system is one line on standard error, and status 1.
 * Only a bug of the program has a stack trace.
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
 * opens two sockets. Without a listener, Deno opens them half a second after its start,
 * and panics if there is no descriptor left.
 */
export function onInterrupt(callback: () => unknown): void {
  Deno.addSignalListener("SIGINT", callback);
}

/** Prints an error and returns: the `onError` of a server that continues. */
export function report(error: unknown): void {
  console.error(isRefusal(error) ? error.message : error);
}

/** An error whose message is enough for one line. */
export class Refusal extends Error {}

function isRefusal(error: unknown): error is Error {
  return isSystemError(error) || error instanceof Refusal ||
    error instanceof Deno.errors.NotCapable ||
    error instanceof Deno.errors.NotSupported ||
    error instanceof Deno.errors.NotFound;
}
