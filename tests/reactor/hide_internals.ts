/**
 * Preloaded before tests and programs: hides calls of Deno's internals from the reactor,
 * as a later version of Deno may. The environment variable POLLUX_HIDDEN has their names,
 * separated by commas; without it all are hidden.
 *
 * @module
 */

const CALLS = [
  "hasTickScheduled",
  "getActiveImmediateCount",
  "eventLoopHasMoreWork",
  "runMicrotasks",
  "__processTimers",
];

type Call = (...args: unknown[]) => unknown;
type Internals = Record<symbol, { core: Record<string, Call> }>;

const deno = Deno as unknown as Internals & { internal: symbol };
const { internal } = deno;
const { core } = deno[internal]!;
const hidden = Deno.env.get("POLLUX_HIDDEN")?.split(",") ?? CALLS;
const shown = CALLS.filter((name) => !hidden.includes(name));

// The module looks for the calls once, and Deno itself needs its symbol again.
deno.internal = Symbol("shown");
deno[deno.internal] = {
  core: Object.fromEntries(
    shown.map((name) => [name, core[name]!.bind(core)]),
  ),
};
const { drainsMicrotasks, nextTimer } = await import(
  "../../reactor/sharing/deno_core.ts"
);
deno.internal = internal;

// Within a microtask none can be run.
const drains = await new Promise((resolve) =>
  setTimeout(() => resolve(drainsMicrotasks()))
);
if (drains !== shown.includes("runMicrotasks")) {
  throw new Error(`Microtasks are run: ${drains}`);
}
if ((nextTimer() !== null) !== shown.includes("__processTimers")) {
  throw new Error(`The next timer is due at ${nextTimer()}`);
}
