/**
 * Every promise of the selectors, for every backend: one test each.
 */

import { assertEquals } from "@std/assert";
import { backends, required } from "./backends.ts";
import { cases, testConformance } from "./conformance/run.ts";

for (const backend of backends) testConformance(backend);

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
