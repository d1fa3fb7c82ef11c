/** Memory of libraries, and the paths of libraries. */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  addressOf,
  bindCalls,
  bytesAt,
  cString,
  findLibrary,
  libraryPath,
  textAt,
} from "../../../backends/ffi/calls.ts";
import { ffiPermissionFlag, openLibrary } from "../../../backends/ffi/mod.ts";
import { windowsLibrary } from "../../../backends/ffi/windows_libraries.ts";
import { anyFile, emulated, runDeno, test } from "../../util.ts";

const c = bindCalls({
  // char *strchr(const char *s, int c), which Windows has, too
  strchr: { parameters: ["buffer", "i32"], result: "pointer" },
}, anyFile ? libraryPath() : windowsLibrary("ntdll"));
openLibrary(c);

/** The options of a test that finds the C library by its file name. */
const LIBRARY_BY_NAME = {
  ignore: emulated || !anyFile,
  reason: emulated
    ? "the emulator has its library elsewhere"
    : "Windows has three libraries, which need no search",
} as const;

test("textAt: returns the text behind a pointer, and behind an address", () => {
  const text = cString("a word");
  assertEquals(textAt(c.strchr(text, "w".charCodeAt(0))!), "word");
  assertEquals(textAt(addressOf(cString("zwölf"))), "zwölf");
  assertEquals(textAt(addressOf(cString(""))), "");
});

test("bytesAt: copies bytes, so that the copy keeps its values", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const copy = bytesAt(addressOf(bytes), 2);
  bytes.fill(0);
  assertEquals(copy, Uint8Array.of(1, 2));
  assertEquals(bytesAt(addressOf(bytes), 0).length, 0);
});

test("bytesAt: a wrong length is a RangeError", () => {
  for (const length of [-1, 0.5, NaN, 2 ** 31]) {
    assertThrows(() => bytesAt(1n, length), RangeError, `${length}`);
  }
});

test("textAt, bytesAt: a null pointer is a TypeError", () => {
  const missing = c.strchr(cString("text"), "?".charCodeAt(0));
  for (const address of [missing, 0n] as never[]) {
    assertThrows(() => textAt(address), TypeError, "null");
    assertThrows(() => bytesAt(address, 4), TypeError, "null");
  }
});

test("findLibrary: returns the path of the first library that is there", () => {
  const path = ffiPermissionFlag().split("=")[1]!;
  const name = path.slice(path.lastIndexOf("/") + 1);
  assertEquals(findLibrary("libnowhere.so.1", name), path);
}, LIBRARY_BY_NAME);

test("findLibrary: without the library it throws NotFound with the names", () => {
  assertThrows(
    () => findLibrary("libnowhere.so.1", "libnowhere.dylib"),
    Deno.errors.NotFound,
    'Cannot find library "libnowhere.so.1" or "libnowhere.dylib"',
  );
});

test("textAt, findLibrary: the narrow permission is enough", async () => {
  const { code, stdout, stderr } = await runDeno(
    `import { bindCalls, bytesAt, cString, findLibrary, textAt }
      from "POLLUX/backends/ffi/calls.ts";
    const flag = ${JSON.stringify(ffiPermissionFlag())};
    const name = flag.slice(flag.lastIndexOf("/") + 1);
    const c = bindCalls({
      strchr: { parameters: ["buffer", "i32"], result: "pointer" },
    });
    const text = cString("a word");
    const word = c.strchr(text, 0x77);
    console.log(findLibrary(name), textAt(word), bytesAt(word, 1).length);`,
    [ffiPermissionFlag()],
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertMatch(stdout, /^\/\S+ word 1\n$/);
}, LIBRARY_BY_NAME);
