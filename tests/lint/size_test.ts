/**
 * The rules of size report long functions and files, only in the product.
 */

import { assertEquals } from "@std/assert";
import plugin from "./size.ts";

function violations(file: string, text: string): string[] {
  return Deno.lint.runPlugin(plugin, file, text).map(({ message }) => message);
}

/** A body of so many lines. */
function body(lines: number): string {
  return `{${"\n".repeat(lines - 1)}}`;
}

Deno.test("size: a function of more than 40 lines is found, however it is written", () => {
  for (
    const start of ["function f() ", "const f = () => ", "const a = { f() "]
  ) {
    const end = start.includes("a =") ? " }" : "";
    const long = `${start}${body(41)}${end};`;
    assertEquals(violations("reactor/x.ts", long), [
      "A function of 41 lines does not fit one screen",
    ]);
    assertEquals(
      violations("reactor/x.ts", `${start}${body(40)}${end};`),
      [],
    );
  }
});

Deno.test("size: a file of more than 450 lines is found", () => {
  const lines = (count: number): string => "let x;\n".repeat(count);
  assertEquals(violations("backends/x.ts", lines(451)), [
    "A file of 451 lines has more than one idea",
  ]);
  assertEquals(violations("backends/x.ts", lines(450)), []);
});

Deno.test("size: a function that does nothing but make an object may be longer", () => {
  const table = `const f = () => (${body(60)});`;
  assertEquals(violations("backends/x.ts", table), []);
});

Deno.test("size: tests may be longer", () => {
  assertEquals(violations("tests/x.ts", `function f() ${body(41)}`), []);
});
