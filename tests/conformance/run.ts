/**
 * Runs every promise of the selectors on a backend: one test each.
 */

import type { Backend } from "../backends.ts";
import { test } from "../util.ts";
import { type Case, type Cases, Stage } from "./case.ts";
import { hangUp } from "./hang_up.ts";
import { identity } from "./identity.ts";
import { leaks } from "./leaks.ts";
import { mapping } from "./mapping.ts";
import { modes } from "./modes.ts";
import { parking } from "./parking.ts";
import { readiness } from "./readiness.ts";
import { scale } from "./scale.ts";
import { timeouts } from "./timeouts.ts";

/** All promises. */
export const cases: Cases = [
  ...mapping,
  ...readiness,
  ...hangUp,
  ...modes,
  ...timeouts,
  ...identity,
  ...parking,
  ...leaks,
  ...scale,
];

/** Whether a backend keeps a promise on this system. */
function applies(promise: Case, { capabilities }: Backend): boolean {
  const { needs = [], lacks, systems } = promise;
  return [needs].flat().every((ability) => capabilities[ability]) &&
    (lacks === undefined || !capabilities[lacks]) &&
    (systems === undefined || systems.includes(Deno.build.os));
}

/** Registers a test for each promise of a backend; without the backend, an ignored one. */
export function testConformance(backend: Backend): void {
  const reason = backend.absent;
  for (const promise of cases) {
    if (!applies(promise, backend)) continue;
    test(`${backend.name}: ${promise.name}`, async () => {
      using stage = new Stage(backend);
      await promise.run(stage);
    }, reason === undefined ? {} : { ignore: true, reason });
  }
}
