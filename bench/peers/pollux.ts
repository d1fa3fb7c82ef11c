/**
 * Pollux itself: the reactor in both ways of running, and a bare selector.
 *
 * @module
 */

import {
  createSelector,
  SELECTOR_NAMES,
  type SelectorName,
} from "../../backends/selectors.ts";
import { type Peer, program } from "./peer.ts";

/**
 * The program to copy. It sends data on at once, so it reuses one buffer, as the servers
 * in C do.
 */
const ECHO = "../../examples/echo.ts";

function deno(name: string, ...args: string[]): string[] {
  return [Deno.execPath(), "run", "--allow-ffi", program(name), ...args];
}

/** The reactor on the best selector of this system. */
function reactor(how: "run" | "serve"): Peer {
  return {
    name: `Pollux ${how}()`,
    modes: ["echo", "fan-out"],
    available: () => Promise.resolve(true),
    command: (mode, port) =>
      mode === "echo"
        ? deno(ECHO, "--mode", how, "--port", String(port))
        : deno("pollux_fan_out.ts", how, String(port)),
  };
}

/** The reactor with a chunk of its own for each message, which is the default. */
export const polluxOwnChunks: Peer = {
  name: "Pollux own chunks",
  modes: ["echo"],
  available: () => Promise.resolve(true),
  command: (_mode, port) => deno(ECHO, "--own-chunks", "--port", String(port)),
};

/** The reactor on a selector that is not the best. */
function reactorOn(selector: SelectorName): Peer {
  return {
    name: `Pollux on ${selector}`,
    modes: ["echo"],
    available: () => Promise.resolve(works(selector)),
    command: (_mode, port) =>
      deno(ECHO, "--selector", selector, "--port", String(port)),
  };
}

/** Returns true if this system has a selector, else the reason. */
function works(selector: SelectorName): true | string {
  try {
    createSelector(selector).close();
    return true;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The reactor that owns the thread. */
export const polluxRun: Peer = reactor("run");
/** The reactor that shares the thread with Deno. */
export const polluxServe: Peer = reactor("serve");
/** The reactor on the other calls. */
export const polluxOthers: readonly Peer[] = SELECTOR_NAMES.slice(1).map(
  reactorOn,
);

/** A selector without the reactor. */
export const polluxSelector: Peer = {
  name: "Pollux selector",
  modes: ["echo"],
  available: () => Promise.resolve(true),
  command: (_mode, port) => deno("selector_echo.ts", String(port)),
};
