/**
 * The lint rules find forbidden code.
 */

import { assertEquals } from "@std/assert";
import plugin from "./errors_by_value.ts";

const ROOT = new URL("../../", import.meta.url);

/** The rules that a text violates, each as often as it does. */
function violations(file: string, text: string): string[] {
  return Deno.lint.runPlugin(plugin, file, text).map(({ id }) =>
    id.replace("pollux/", "")
  );
}

function bareSymbols(text: string): number {
  return violations("backends/x.ts", text).length;
}

Deno.test("a symbol that is called as Deno.dlopen gives it is found", () => {
  assertEquals(bareSymbols(`Deno.dlopen(path, all).symbols.close(3);`), 1);
  assertEquals(
    bareSymbols(
      `const { symbols } = Deno.dlopen(path, all); symbols.close(3);`,
    ),
    1,
  );
  assertEquals(
    bareSymbols(`const { symbols: own } = library; () => own.close(3);`),
    1,
  );
  assertEquals(
    bareSymbols(`const { symbols } = library; const { close } = symbols;`),
    1,
  );
  assertEquals(bareSymbols(`const { symbols: { close } } = library;`), 1);
});

Deno.test("symbols whose errors are values are in order, and so is code outside of the package", () => {
  const bare = `Deno.dlopen(path, all).symbols.close(3);`;
  assertEquals(violations("tests/x.ts", bare), []);
  assertEquals(
    bareSymbols(
      `const { symbols } = Deno.dlopen(path, all);
       errorsByValue(symbols, all).close(3);`,
    ),
    0,
  );
});

Deno.test("a result that is compared with -1 is found", () => {
  const found = (text: string): string[] => violations("backends/x.ts", text);
  for (
    const text of [
      `if (libc().close(fd) === -1) fail();`,
      `if (-1 !== libc().epoll_ctl!(fd)) fine();`,
      `if (fileCalls.fsync(fd) === -1) fail();`,
      `const result = libc().close(fd); if (result === -1) fail();`,
      `const { poll, ppoll } = libc();
       const count = brief ? ppoll!(fds) : poll(fds);
       function check() { return count == -1; }`,
      `import { open } from "./ffi/libc.ts"; if (open(path) === -1) fail();`,
      `const count = this.#library.functions.kevent(fd); count !== -1;`,
    ]
  ) assertEquals(found(text), ["minus-one"], text);
});

Deno.test("any other -1 is in order", () => {
  for (
    const text of [
      `if (libc().close(fd) < 0) fail();`,
      `const index = text.indexOf("x"); if (index === -1) fail();`,
      `const count = await libc().pollParked(fds); if (count === -1) again();`,
      `function call() { const count = libc().poll(fds); }
       function wait() { const count = pollOnce(fds); return count === -1; }`,
    ]
  ) assertEquals(violations("backends/x.ts", text), [], text);
});

Deno.test("anything between a call and the load of errno is found", async () => {
  const file = "backends/ffi/errno.ts";
  const text = await Deno.readTextFile(new URL(file, ROOT));
  assertEquals(violations(file, text), []);
  for (const call of [/ symbol\(.*\);/, /copy\(.*\);/]) {
    const late = text.replace(call, "$& again();");
    assertEquals(violations(file, late), ["load-after-call"], String(call));
  }
  for (const load of ["let number = memory[0]!", "  number = memory[0]!"]) {
    const called = text.replace(load, `${load.split("=")[0]}= load()`);
    assertEquals(violations(file, called), ["load-after-call"], load);
  }
});
