/**
 * What Deno's own loop has to do, as far as it tells.
 *
 * @module
 */

interface DenoCore {
  hasTickScheduled?(): boolean;
  getActiveImmediateCount?(): number;
}

interface NodeProcess {
  getActiveResourcesInfo?(): string[];
}

const { internal } = Deno as unknown as { internal?: symbol };
const core = internal === undefined
  ? undefined
  : (Deno as unknown as Record<symbol, { core?: DenoCore }>)[internal]?.core;

/**
 * Whether `process.nextTick` or `setImmediate` has something to call. Their queues
 * are not the one of promises: only a turn of Deno's loop empties them. False
 * where Deno does not tell, for it is only its internals that do.
 */
export function callsDue(): boolean {
  return core?.hasTickScheduled?.() === true ||
    (core?.getActiveImmediateCount?.() ?? 0) > 0;
}

/**
 * Whether a timer keeps Deno's loop going; true where Deno does not tell. It does
 * not tell of timers that are unreferenced. Node's part of Deno has to be loaded.
 */
export function hasTimers(): boolean {
  const { process } = globalThis as unknown as { process?: NodeProcess };
  return process?.getActiveResourcesInfo?.().includes("Timeout") ?? true;
}
