/**
 * The events and modes of each selector: `docs/backends.md` has the same.
 */

import { assertEquals } from "@std/assert";
import { backends, OPTIONAL } from "../backends.ts";

const SUPPORTED: Readonly<Record<string, readonly string[]>> = {
  EpollSelector: ["edge", "oneShot", "exclusive", "priority", "hangUp"],
  KqueueSelector: Deno.build.os === "darwin"
    ? ["edge", "oneShot", "priority"]
    : ["edge", "oneShot"],
  DevpollSelector: ["priority"],
  PollSelector: ["priority"],
  SelectSelector: ["priority"],
  WasiSelector: [],
};

for (const [name, expected] of Object.entries(SUPPORTED)) {
  const { absent, make } = backends.find((backend) => backend.name === name)!;
  const reason = absent && ` (ignored: ${absent})`;
  Deno.test({
    name: `${name}: supports ${expected.join(", ") || "no more"}${
      reason ?? ""
    }`,
    ignore: reason !== undefined,
    fn(): void {
      using selector = make();
      const supported = Object.entries(OPTIONAL)
        .filter(([_, bit]) => (selector.supported & bit) !== 0);
      assertEquals(supported.map(([optional]) => optional), [...expected]);
    },
  });
}
