/** The C library: opened late, called rightly, with the errors of Deno. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { system, systemFor } from "../../../backends/ffi/current_system.ts";
import {
  close,
  errnoName,
  ffiPermissionFlag,
  isSystemError,
  Socket,
  type SystemError,
} from "../../../backends/ffi/mod.ts";
import { closeFd } from "../../../backends/ffi/descriptor.ts";
import { errnoMessage, systemError } from "../../../backends/ffi/errors.ts";
import { addressOf, libc } from "../../../backends/ffi/libc.ts";
import { holding } from "../../../backends/ffi/parked_call.ts";
import {
  anyFile,
  emulated,
  NEEDS_ALL_LIBRARIES,
  posixTest,
  runDeno,
  test,
} from "../../util.ts";

/** A number that no test opens. */
const CLOSED = 1_000_000;

posixTest("every function that all systems have is found", () => {
  const missing = Object.entries(libc()).filter(([, call]) =>
    call === undefined
  );
  assertEquals(missing, []);
});

test("the functions of this system's own readiness calls are found", () => {
  if (system().os !== "linux") return;
  for (
    const name of ["epoll_create1", "epoll_ctl", "epoll_wait", "dup3"] as const
  ) {
    assertNotEquals(libc()[name], null, name);
  }
});

test("a call that fails returns its error number, negated, however often", () => {
  const expected = -system().errno.EBADF!;
  for (let round = 0; round < 20_000; round++) {
    const result = closeFd(CLOSED);
    if (result !== expected) assertEquals(result, expected);
  }
});

test("addressOf() returns the address of memory", () => {
  const bytes = new Uint8Array(new ArrayBuffer(16));
  const pointer = Deno.UnsafePointer.of(bytes);
  assertEquals(addressOf(bytes), BigInt(Deno.UnsafePointer.value(pointer)));
}, NEEDS_ALL_LIBRARIES);

Deno.test("importing all of Pollux needs no permission and opens nothing", async () => {
  const { code, stdout, stderr } = await runDeno(
    `import { EVENT_READ } from "POLLUX/mod.ts"; console.log(EVENT_READ);`,
    [],
  );
  assertEquals([code, stdout], [0, "1\n"], stderr);
});

Deno.test("without permission the first call is refused by Deno's own error", async () => {
  const { stdout } = await runDeno(
    `import { DefaultSelector } from "POLLUX/mod.ts";
     try { new DefaultSelector(); } catch (error) { console.log(error.name); }`,
    [],
  );
  assertEquals(stdout, "NotCapable\n");
});

/** A program that fails once, succeeds once, and says how. */
const ROUND_TRIP = `
  import { DefaultSelector, EVENT_READ, PollSelector, SelectSelector, socketPair } from "POLLUX/mod.ts";
  import { close } from "POLLUX/backends/ffi/mod.ts";
  try { close(${CLOSED}); } catch (error) { console.log(error.code, error.errno, error.syscall); }
  for (const Selector of [DefaultSelector, PollSelector, SelectSelector]) {
    using selector = new Selector();
    const [left, right] = socketPair();
    selector.register(right, EVENT_READ, "right");
    left.send(new Uint8Array(1));
    console.log(selector.select(1000).map(([{ data }, events]) => [data, events]));
    left.close();
    right.close();
  }`;

const ROUND_TRIP_OUTPUT = `EBADF ${system().errno.EBADF} close\n` +
  '[ [ "right", 1 ] ]\n'.repeat(3);

Deno.test("the permission that ffiPermissionFlag() names is enough: errno is read, and selectors work", async () => {
  const { stdout, stderr } = await runDeno(ROUND_TRIP, [ffiPermissionFlag()]);
  assertEquals(stdout, ROUND_TRIP_OUTPUT, stderr);
});

Deno.test("the full permission does the same", async () => {
  const { stdout, stderr } = await runDeno(ROUND_TRIP, ["--allow-ffi"]);
  assertEquals(stdout, ROUND_TRIP_OUTPUT, stderr);
});

Deno.test({
  name: `ffiPermissionFlag() names one file, which is there${
    emulated
      ? " (ignored: the emulator's library is in none of the places)"
      : anyFile
      ? ""
      : " (ignored: Windows has three libraries)"
  }`,
  ignore: emulated || !anyFile,
  fn: () => {
    const path = /^--allow-ffi=(\/.+)$/.exec(ffiPermissionFlag())?.[1];
    assert(path !== undefined && Deno.statSync(path).isFile, path);
  },
});

Deno.test("memory is not collected while another thread uses it", async () => {
  const { stdout, stderr } = await runDeno(
    `import { holding } from "POLLUX/backends/ffi/parked_call.ts";
     const { promise, resolve } = Promise.withResolvers();
     const memory = (() => {
       const bytes = new Uint8Array(100);
       void holding(true, promise, bytes);
       return new WeakRef(bytes);
     })();
     await new Promise((resolve) => setTimeout(resolve, 1));
     gc();
     console.log(memory.deref() !== undefined);
     resolve();
     await promise;
     await new Promise((resolve) => setTimeout(resolve, 1));
     gc();
     console.log(memory.deref() !== undefined);`,
    ["--v8-flags=--expose-gc"],
  );
  assertEquals(stdout, "true\nfalse\n", stderr);
});

Deno.test("holding() passes on the result of the call", async () => {
  assertEquals(await holding(true, Promise.resolve(7), new Uint8Array(1)), 7);
});

/** The error of a failed call. */
function errorOf(call: () => unknown): SystemError {
  const error = assertThrows(call);
  assert(isSystemError(error));
  return error;
}

test("a failed call throws Deno's class, with code, errno and the name of the call", () => {
  const error = errorOf(() => close(CLOSED));
  assertInstanceOf(error, Deno.errors.BadResource);
  assertEquals([error.code, error.errno, error.syscall], [
    "EBADF",
    system().errno.EBADF,
    "close",
  ]);
});

test("a refused connection has the same message as in Deno", async () => {
  const listener = Socket.create();
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.localAddress as { port: number };
  listener.close();
  const theirs = await Deno.connect({ hostname: "127.0.0.1", port }).catch((
    error,
  ) => error);
  const ours = systemError("connect", system().errno.ECONNREFUSED!);
  assertEquals(ours.message, theirs.message);
  assertEquals(ours.name, theirs.name);
});

test("a missing file has the same message as in Deno", () => {
  const theirs = assertThrows(
    () => Deno.openSync("/nowhere"),
    Deno.errors.NotFound,
  );
  const ours = systemError("open", system().errno.ENOENT!);
  assertStringIncludes(theirs.message, ours.message);
  assertEquals(ours.name, theirs.name);
});

test("an error number without a name is reported too", () => {
  const error = systemError("call", 9999);
  assertEquals([error.code, error.errno, error.syscall], [
    "E9999",
    9999,
    "call",
  ]);
  assertStringIncludes(error.message, "9999");
  assertEquals(errnoName(9999), "E9999");
});

test("every named error has a message", () => {
  for (const number of Object.values(system().errno)) {
    assert(errnoMessage(number).length > 0);
  }
});

Deno.test("the error for an unknown system names it, and the known ones", () => {
  const error = assertThrows(
    () => systemFor({ os: "aix", arch: "powerpc64" }),
    Deno.errors.NotSupported,
  );
  for (const part of ["aix", "powerpc64", "linux", "darwin", "windows"]) {
    assertStringIncludes(error.message, part);
  }
});
