/**
 * The reactor of all suspended guests of this thread that were given none.
 *
 * @module
 */

import type { Reactor } from "../../reactor/reactor.ts";

/** A reactor that serves until it is returned. */
export interface Borrowed extends AsyncDisposable {
  readonly reactor: Reactor;
  /** Settles when the reactor no longer serves. */
  readonly served: Promise<void>;
}

let shared: Pick<Borrowed, "reactor" | "served"> | undefined;
let borrowers = 0;

/**
 * Borrows the reactor, which is closed when the last borrower has returned it. It is
 * loaded here: a host that blocks its thread needs none.
 */
export async function borrowReactor(): Promise<Borrowed> {
  const { Reactor } = await import("../../reactor/reactor.ts");
  if (shared === undefined) {
    const reactor = new Reactor();
    shared = { reactor, served: reactor.serve() };
  }
  const { reactor, served } = shared;
  borrowers++;
  return {
    reactor,
    served,
    async [Symbol.asyncDispose](): Promise<void> {
      if (--borrowers > 0) return;
      shared = undefined;
      await reactor[Symbol.asyncDispose]();
    },
  };
}
