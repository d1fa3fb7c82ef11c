/**
 * The load of HTTP by `wrk`.
 *
 * @module
 */

import { firstLine } from "./peers/peer.ts";

/** The requests of one run. */
export interface Requests {
  readonly count: number;
  readonly seconds: number;
}

/** How `wrk` is started. */
export interface WrkOptions {
  /** A command before it, such as that of `taskset`. */
  readonly prefix?: readonly string[];
  readonly scheme?: "http" | "https";
}

/**
 * Sends requests to a port of 127.0.0.1 on connections that are kept alive.
 *
 * @throws {Error} if a request fails
 */
export async function runWrk(
  port: number | string,
  connections: number,
  seconds: number,
  { prefix = [], scheme = "http" }: WrkOptions = {},
): Promise<Requests> {
  const options = ["-t1", `-c${connections}`, `-d${seconds}s`];
  const url = `${scheme}://127.0.0.1:${port}/`;
  const [program, ...args] = [...prefix, "wrk", ...options, url];
  const { stdout } = await new Deno.Command(program!, { args }).output();
  const text = new TextDecoder().decode(stdout);
  const found = /(\d+) requests in ([\d.]+)s/.exec(text);
  if (found === null || /Socket errors|Non-2xx/.test(text)) {
    throw new Error(`wrk failed:\n${text}`);
  }
  return { count: Number(found[1]), seconds: Number(found[2]) };
}

/** The name and version. */
export async function wrkVersion(): Promise<string> {
  const line = await firstLine("sh", "-c", "wrk -v; true");
  return /^wrk \S+/.exec(line)?.[0] ?? "wrk";
}
