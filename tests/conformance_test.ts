/**
 * Every promise of the selectors, for every backend: one test each.
 */

import { assertEquals } from "@std/assert";
import { type Backend, backends, required } from "./backends.ts";
import { type Case, type Cases, Stage } from "./conformance/case.ts";
import { hangUp } from "./conformance/hang_up.ts";
import { identity } from "./conformance/identity.ts";
import { leaks } from "./conformance/leaks.ts";
import { mapping } from "./conformance/mapping.ts";
import { modes } from "./conformance/modes.ts";
import { parking } from "./conformance/parking.ts";
import { readiness } from "./conformance/readiness.ts";
import { scale } from "./conformance/scale.ts";
import { timeouts } from "./conformance/timeouts.ts";
import { test } from "./util.ts";

const cases: Cases = [
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
  const { needs, lacks, systems } = promise;
  return (needs === undefined || capabilities[needs]) &&
    (lacks === undefined || !capabilities[lacks]) &&
    (systems === undefined || systems.includes(Deno.build.os));
}

for (const backend of backends) {
  const reason = backend.absent && ` (ignored: ${backend.absent})`;
  for (const promise of cases) {
    if (!applies(promise, backend)) continue;
    test(`${backend.name}: ${promise.name}${reason ?? ""}`, async () => {
      using stage = new Stage(backend);
      await promise.run(stage);
    }, { ignore: reason !== undefined });
  }
}

const mustBePresent = required[Deno.build.os] ?? [];

Deno.test(`conformance: ${Deno.build.os} has ${mustBePresent.join(", ") || "no required backend"}`, () => {
  const absent = backends.filter(({ name, absent }) =>
    absent !== undefined && mustBePresent.includes(name)
  );
  assertEquals(absent.map(({ name, absent }) => `${name}: ${absent}`), []);
});

Deno.test("conformance: no two promises have the same name", () => {
  const names = cases.map(({ name, needs, lacks }) => name + needs + lacks);
  assertEquals(new Set(names).size, names.length);
});
