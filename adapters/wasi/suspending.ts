/**
 * JavaScript Promise Integration: WebAssembly that waits for promises.
 *
 * TypeScript's library does not have it yet. Source of the types: "The
 * WebAssembly JS API", sections "Suspending" and "promising" of the JSPI proposal.
 *
 * @module
 */

import type { GuestCall } from "./guest.ts";

interface PromiseIntegration {
  readonly Suspending?: new (call: GuestCall) => WebAssembly.ImportValue;
  readonly promising?: (
    call: WebAssembly.ExportValue,
  ) => () => Promise<unknown>;
}

const { Suspending, promising } = WebAssembly as PromiseIntegration;

/** Whether this runtime can suspend WebAssembly. */
export function canSuspend(): boolean {
  return Suspending !== undefined && promising !== undefined;
}

/** @throws {Deno.errors.NotSupported} if this runtime cannot suspend WebAssembly */
export function requireSuspending(): void {
  if (!canSuspend()) {
    throw new Deno.errors.NotSupported(
      "Cannot suspend the program: this runtime lacks WebAssembly.Suspending",
    );
  }
}

/** An import whose promises suspend whoever calls it. What is no promise does not. */
export function suspending(call: GuestCall): WebAssembly.ImportValue {
  return new Suspending!(call);
}

/** An export that may be suspended, as a function that returns a promise. */
export function promisingExport(
  call: WebAssembly.ExportValue,
): () => Promise<unknown> {
  return promising!(call);
}
