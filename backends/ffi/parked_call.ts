/**
 * Parked calls: `nonblocking` ones, which wait on another thread while this thread
 * runs on.
 *
 * @module
 */

/**
 * Keeps memory alive until a parked call has ended. Deno passes a bare address to the
 * other thread. Without this, V8 would collect the memory of that call while the
 * kernel writes into it.
 *
 * @param referenced Whether the call keeps the process open
 */
export function holding<T>(
  referenced: boolean,
  call: Promise<T>,
  ...memory: (BufferSource | null)[]
): Promise<T> {
  if (!referenced) unreference(call);
  return call.finally(() => memory.length = 0);
}

/**
 * Lets the process end during a call. Deno has no public name for it; without the
 * internal one the call keeps the process open.
 */
function unreference(call: Promise<unknown>): void {
  const { internal } = Deno as unknown as { internal?: symbol };
  if (internal === undefined) return;
  const internals =
    (Deno as unknown as Record<symbol, DenoInternals>)[internal];
  internals?.core?.unrefOpPromise?.(call);
}

interface DenoInternals {
  readonly core?: { unrefOpPromise?(call: Promise<unknown>): void };
}
