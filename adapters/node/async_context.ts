/**
 * The context that `AsyncLocalStorage` reads. A reactor calls back in one context,
 * whatever a callback before has entered. So a server has to enter its own.
 *
 * @module
 */

/** The calls of Deno for the present context, as far as Deno exposes them. */
interface ContextCalls {
  getAsyncContext(): unknown;
  setAsyncContext(context: unknown): void;
}

const { internal } = Deno as unknown as { internal?: symbol };
const core = internal === undefined
  ? undefined
  : (Deno as unknown as Record<symbol, { core?: Partial<ContextCalls> }>)[
    internal
  ]?.core;

/** Whether contexts can be kept and entered. */
export const hasContexts: boolean = core?.getAsyncContext !== undefined &&
  core.setAsyncContext !== undefined;

/** Returns the present context; undefined also where Deno does not expose it. */
export function presentContext(): unknown {
  return core?.getAsyncContext?.();
}

/** Enters a context, and leaves the present one. */
export function enterContext(context: unknown): void {
  core?.setAsyncContext?.(context);
}
