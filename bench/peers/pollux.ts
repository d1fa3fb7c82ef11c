/**
 * Pollux itself: the reactor in both ways of running, and a bare selector.
 *
 * @module
 */

import type { SelectorName } from "../../backends/default_selector.ts";
import { type Peer, program } from "./peer.ts";

const EXAMPLE = program("../../examples/echo.ts");

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

function deno(...args: string[]): string[] {
  return [Deno.execPath(), "run", "--allow-ffi", "--allow-env", ...args];
}

/** `examples/echo.ts`, the echo server of the reactor. */
function reactor(mode: "run" | "serve", selector: SelectorName): Peer {
  const how = selector === "epoll" ? "" : ` on ${selector}`;
  return {
    name: `Pollux ${mode}()${how}`,
    modes: ["echo"],
    available: async () => await exists(EXAMPLE) || "no examples/echo.ts yet",
    command: (_mode, port) =>
      deno(
        EXAMPLE,
        "--mode",
        mode,
        "--selector",
        selector,
        "--port",
        String(port),
      ),
  };
}

/** The reactor that owns the thread. */
export const polluxRun: Peer = reactor("run", "epoll");
/** The reactor that shares the thread with Deno. */
export const polluxServe: Peer = reactor("serve", "epoll");
/** The reactor on the calls that are dearer the more they watch. */
export const polluxOthers: readonly Peer[] = [
  reactor("run", "poll"),
  reactor("run", "select"),
  reactor("run", "kqueue"),
];

/** A selector and nothing above it. */
export const polluxSelector: Peer = {
  name: "Pollux selector",
  modes: ["echo"],
  available: () => Promise.resolve(true),
  command: (_mode, port) => deno(program("selector_echo.ts"), String(port)),
};
