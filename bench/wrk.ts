/**
 * The load of HTTP by `wrk`.
 *
 * @module
 */

/** The requests of one run. */
export interface Requests {
  readonly count: number;
  readonly seconds: number;
}

/**
 * Sends requests to a port of 127.0.0.1 on connections that are kept alive.
 *
 * @param prefix A command that starts `wrk`, such as that of `taskset`
 * @throws {Error} if a request fails
 */
export async function runWrk(
  port: number | string,
  connections: number,
  seconds: number,
  prefix: readonly string[] = [],
): Promise<Requests> {
  const options = ["-t1", `-c${connections}`, `-d${seconds}s`];
  const url = `http://127.0.0.1:${port}/`;
  const [program, ...args] = [...prefix, "wrk", ...options, url];
  const { stdout } = await new Deno.Command(program!, { args }).output();
  const text = new TextDecoder().decode(stdout);
  const found = /(\d+) requests in ([\d.]+)s/.exec(text);
  if (found === null || /Socket errors|Non-2xx/.test(text)) {
    throw new Error(`wrk failed:\n${text}`);
  }
  return { count: Number(found[1]), seconds: Number(found[2]) };
}
