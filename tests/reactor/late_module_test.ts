/** Modules that are loaded when they are first needed. */

import { assertEquals, assertRejects } from "@std/assert";
import { close, dup } from "../../backends/ffi/descriptor.ts";
import { lateModule } from "../../reactor/late_module.ts";
import { posixTest, test } from "../util.ts";

test("lateModule() loads a module once, at the first call", async () => {
  let loads = 0;
  const module = lateModule(() => Promise.resolve(++loads));
  assertEquals(loads, 0);
  assertEquals(await Promise.all([module(), module()]), [1, 1]);
  assertEquals(await module(), 1);
});

posixTest(
  "lateModule() rejects without descriptors, for which Deno would end the process",
  async () => {
    let loads = 0;
    const module = lateModule(() => Promise.resolve(++loads));
    const taken: number[] = [];
    try {
      for (;;) taken.push(dup(0));
    } catch {
      try {
        await assertRejects(module, Error, "Too many open files");
        assertEquals(loads, 0);
      } finally {
        taken.forEach(close);
      }
    }
    assertEquals(await module(), 1);
  },
  { reason: "Windows has no limit of open descriptors" },
);
