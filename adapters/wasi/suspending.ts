/**
 * JavaScript Promise Integration: WebAssembly that waits for promises.
 *
 * TypeScript's library lacks it. Source of the types: "The WebAssembly JS API",
 * sections "Suspending" and "promising" of the JSPI proposal.
 *
 * @module
 */

// deno-lint-ignore no-explicit-any -- each call has parameters of its own
type Import = (...args: any[]) => number | Promise<number>;

interface PromiseIntegration {
  readonly Suspending?: new (call: Import) => WebAssembly.ImportValue;
  readonly promising?: (
    call: WebAssembly.ExportValue,
  ) => () => Promise<unknown>;
}

const { Suspending, promising } = WebAssembly as PromiseIntegration;

/** @throws {Deno.errors.NotSupported} if this runtime cannot suspend WebAssembly */
export function requireSuspending(): void {
  if (Suspending === undefined || promising === undefined) {
    throw new Deno.errors.NotSupported(
      "Cannot suspend the program: this runtime lacks WebAssembly.Suspending",
    );
  }
}

/** An import that suspends its caller when it returns a promise. */
export function suspending(call: Import): WebAssembly.ImportValue {
  return new Suspending!(call);
}

/** An export that may be suspended, as a function that returns a promise. */
export function promisingExport(
  call: WebAssembly.ExportValue,
): () => Promise<unknown> {
  return promising!(call);
}
