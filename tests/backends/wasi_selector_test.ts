/**
 * WasiSelector, as far as other backends differ.
 */

import { assertEquals } from "@std/assert";
import { backends, supportedBy } from "../backends.ts";
import { test } from "../util.ts";

const { absent } = backends.find(({ name }) => name === "WasiSelector")!;
const reason = absent === undefined ? "" : ` (ignored: ${absent})`;

test(`WasiSelector: supports reading and writing alone${reason}`, () => {
  assertEquals(supportedBy("WasiSelector"), []);
}, { ignore: absent !== undefined });
