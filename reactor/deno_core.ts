/**
 * What Deno's own loop has to do, as far as only Deno's internals tell.
 *
 * @module
 */

interface DenoCore {
  hasTickScheduled?(): boolean;
}

const { internal } = Deno as unknown as { internal?: symbol };
const core = internal === undefined
  ? undefined
  : (Deno as unknown as Record<symbol, { core?: DenoCore }>)[internal]?.core;

/**
 * Whether `process.nextTick` has something to call. Its queue is not the one of
 * promises: only a turn of Deno's loop empties it. False where Deno does not tell.
 */
export function tickScheduled(): boolean {
  return core?.hasTickScheduled?.() === true;
}
