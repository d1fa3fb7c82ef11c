/**
 * The option `--inspect PORT` of servers: the page of inspector.ts for them. It needs
 * the further permissions `--allow-read`, and `--allow-sys` for the stacks of faults.
 *
 * @module
 */

import type { Reactor } from "../../mod.ts";
import {
  type CommandLine,
  orRefuse,
  parsePort,
  Refusal,
} from "../command_line.ts";

/**
 * The page, and its package of npm. Deno would load a module with a literal name before
 * each start, also without the option.
 */
const PAGE: string = "./serve_inspector.ts";

/** For `parseCommandLine`. */
export const INSPECT = { inspect: { type: "string" } } as const;

/** Serves the page for a reactor that is served, if the option is given. */
export async function inspect(
  reactor: Reactor,
  { inspect }: CommandLine["values"],
): Promise<void> {
  if (inspect === undefined) return;
  const port = orRefuse(() => parsePort(String(inspect)));
  const url = new URL(PAGE, import.meta.url);
  if (!mayRead(url)) {
    throw new Refusal("Cannot load the page: run again with --allow-read");
  }
  const page: typeof import("./serve_inspector.ts") = await import(url.href);
  await page.serveInspector(reactor, port);
}

function mayRead(path: URL): boolean {
  const { state } = Deno.permissions.querySync({ name: "read", path });
  return state === "granted";
}

/** Runs a reactor. The page needs Deno's loop: with the option, it is served. */
export async function runOrInspect(
  reactor: Reactor,
  values: CommandLine["values"],
): Promise<void> {
  if (values.inspect === undefined) return reactor.run();
  const served = reactor.serve();
  await inspect(reactor, values);
  await served;
}
