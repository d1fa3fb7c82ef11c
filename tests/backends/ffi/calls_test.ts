/**
 * Your own calls: errors of the right call, repeated calls, variadic functions.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { system } from "../../../backends/ffi/current_system.ts";
import {
  addressOf,
  bindCalls,
  type CallDefinition,
  cString,
  ioctl,
  libraryPath,
  type SystemError,
  systemError,
  WOULD_BLOCK,
} from "../../../backends/ffi/calls.ts";
import {
  close,
  ffiPermissionFlag,
  isSystemError,
  openFile,
  openLibrary,
  pipe,
  read,
  setBlocking,
  write,
} from "../../../backends/ffi/mod.ts";
import { onStack, padded } from "../../../backends/ffi/variadic.ts";
import { emulated, ONLY_LINUX, runDeno, test } from "../../util.ts";
import { compiler, reason, withCompiled } from "./c_compiler.ts";

const { EAGAIN, EBADF, EINVAL, ENOENT, ESRCH } = system().errno;

/** A number that no test opens. */
const CLOSED = 1_000_000;

const c = bindCalls({
  // int getpgid(pid_t pid)
  getpgid: { parameters: ["i32"], result: "i32" },
  // int close(int fd)
  close: { parameters: ["i32"], result: "i32", repeat: false },
  // ssize_t read(int fd, void *buf, size_t count)
  read: {
    parameters: ["i32", "buffer", "u32"],
    result: "i32",
    wouldBlock: true,
  },
  readLong: {
    name: "read",
    parameters: ["i32", "buffer", "usize"],
    result: "isize",
    wouldBlock: true,
  },
  readStrictly: {
    name: "read",
    parameters: ["i32", "buffer", "u32"],
    result: "i32",
  },
  // FILE *fopen(const char *pathname, const char *mode)
  fopen: {
    parameters: ["buffer", "buffer"],
    result: "pointer",
    errors: "errno",
  },
  // int posix_spawn(pid_t *pid, const char *path, …); the rest is not needed to fail
  posix_fallocate: {
    parameters: ["i32", "i64", "i64"],
    result: "i32",
    errors: "result",
  },
  // int toupper(int c)
  toupper: { parameters: ["i32"], result: "i32", errors: "none" },
  // int snprintf(char *str, size_t size, const char *format, ...)
  snprintf: {
    parameters: ["buffer", "u32", "buffer"],
    variadic: ["i32", "buffer", "i64"],
    result: "i32",
  },
  // int usleep(useconds_t usec)
  usleepParked: {
    name: "usleep",
    parameters: ["u32"],
    result: "i32",
    nonblocking: true,
  },
  no_such_function: { parameters: [], result: "i32" },
  noSuchFunction: {
    name: "no_such_function",
    parameters: [],
    result: "i32",
    optional: true,
  },
});

/** The error of a failed call. */
function errorOf(call: () => unknown): SystemError {
  const error = assertThrows(call);
  assert(isSystemError(error), String(error));
  return error;
}

for (const name of Object.keys(c)) {
  // Opened now, because Deno's resource sanitizer takes them for leaks of a test.
  if (name !== "no_such_function") void c[name as keyof typeof c];
}

const kept = bindCalls({
  // pid_t getsid(pid_t pid)
  getsid: { parameters: ["i32"], result: "i32" },
});
openLibrary(kept);

test("openLibrary: functions opened before a test are no leak of it", () => {
  assertEquals(kept.getsid(0), kept.getsid(Deno.pid));
});

test("bindCalls: a function returns its result", () => {
  assertEquals(c.getpgid(0), c.getpgid(Deno.pid));
});

test("bindCalls: a failed call throws Deno's class, with code, errno and syscall", () => {
  const error = errorOf(() => c.close(CLOSED));
  assert(error instanceof Deno.errors.BadResource);
  assertEquals([error.code, error.errno, error.syscall], [
    "EBADF",
    EBADF,
    "close",
  ]);
  assertEquals(errorOf(() => c.getpgid(-1)).errno, ESRCH);
});

test("bindCalls: a null pointer is an error if the definition says so", () => {
  const error = errorOf(() => c.fopen(cString("/nowhere"), cString("r")));
  assert(error instanceof Deno.errors.NotFound);
  assertEquals([error.errno, error.syscall], [ENOENT, "fopen"]);
});

test("bindCalls: a result can be the error number", () => {
  const error = errorOf(() => c.posix_fallocate(CLOSED, 0n, 1n));
  assertEquals([error.errno, error.syscall], [EBADF, "posix_fallocate"]);
});

test('bindCalls: with errors "none" a negative result is returned', () => {
  assertEquals(c.toupper(-1), -1);
  assertEquals(c.toupper(0x61), 0x41);
});

test("bindCalls: EAGAIN is WOULD_BLOCK if the definition says so, else an error", () => {
  const [reader, writer] = pipe();
  const buffer = new Uint8Array(8);
  assertEquals(c.read(reader, buffer, 8), WOULD_BLOCK);
  assertEquals(c.readLong(reader, buffer, 8n), -1n);
  assertEquals(errorOf(() => c.readStrictly(reader, buffer, 8)).errno, EAGAIN);
  write(writer, new Uint8Array(3));
  assertEquals(c.readLong(reader, buffer, 8n), 3n);
  close(reader);
  close(writer);
});

test("bindCalls: variadic arguments arrive, negative and wide ones too", () => {
  const text = new Uint8Array(64);
  const length = c.snprintf(
    text,
    text.length,
    cString("%d %s %lld"),
    -7,
    cString("words"),
    -(2n ** 40n),
  );
  const printed = new TextDecoder().decode(text.subarray(0, length));
  assertEquals(printed, `-7 words ${-(2n ** 40n)}`);
});

Deno.test("bindCalls: variadic arguments follow eight full registers on Apple's arm64", () => {
  assertEquals(onStack(["buffer", "i32"], ["i32", "u8", "pointer"]), [
    "buffer",
    "i32",
    ...Array(6).fill("u32"),
    "i64",
    "u64",
    "pointer",
  ]);
  assertEquals(onStack(["f64", ...Array(9).fill("i32")], ["i64"]).length, 11);
  const all = (...parameters: unknown[]): unknown[] => parameters;
  assertEquals(padded(all, 2, 3)(...[1, 2, 3, 4] as never[]), [
    1,
    2,
    0,
    0,
    0,
    3,
    4,
  ]);
});

test("bindCalls: variadic floats, which Deno passes wrongly, are a TypeError", () => {
  const definition = {
    parameters: ["buffer"],
    variadic: ["f64"],
    result: "i32",
  } as const satisfies CallDefinition;
  assertThrows(() => bindCalls({ printf: definition }), TypeError, "printf");
});

test("bindCalls: an unknown key of a definition is a TypeError", () => {
  const definition = { parameters: [], result: "i32", optionl: true } as const;
  assertThrows(() => bindCalls({ getpid: definition }), TypeError, "optionl");
});

test("bindCalls: an unknown type is a TypeError, for an optional function too", () => {
  const wrong: readonly object[] = [
    { parameters: ["int"], result: "i32", optional: true },
    { parameters: ["void"], result: "i32" },
    { parameters: [], result: "string" },
    { parameters: ["i32"], variadic: ["long"], result: "i32" },
    { parameters: [], result: undefined },
  ];
  for (const definition of wrong) {
    assertThrows(
      () => bindCalls({ getpid: definition as CallDefinition }),
      TypeError,
      'Cannot bind the function "getpid": Deno has no type',
    );
  }
});

test("bindCalls: a missing function is named, with its library", () => {
  const error = assertThrows(
    () => c.no_such_function(),
    Deno.errors.NotSupported,
    "no_such_function",
  );
  assert(error.message.includes(libraryPath()), error.message);
  assertEquals(c.noSuchFunction, null);
});

test("bindCalls: disposing of the calls closes the library", () => {
  const calls = bindCalls({ getpid: { parameters: [], result: "i32" } });
  {
    using _ = calls;
    assertEquals(calls.getpid(), Deno.pid);
  }
  assertThrows(() => calls.getpid(), Deno.errors.BadResource, "closed");
  const unused = bindCalls({ getpid: { parameters: [], result: "i32" } });
  unused[Symbol.dispose]();
  assertThrows(() => unused.getpid(), Deno.errors.BadResource, "closed");
});

test("bindCalls: a missing library is named at the first use", () => {
  const calls = bindCalls(
    { f: { parameters: [], result: "void" } },
    "/nowhere/libmissing.so",
  );
  assertThrows(() => calls.f(), Deno.errors.NotFound, "/nowhere/libmissing.so");
});

test("bindCalls: the error number 0 is the result 0, and not -0", async () => {
  const path = await Deno.makeTempFile();
  const fd = openFile(path, "w");
  assertEquals(Object.is(c.posix_fallocate(fd, 0n, 1n), 0), true);
  close(fd);
  await Deno.remove(path);
}, ONLY_LINUX);

/** A library whose function returns null, and no error number. */
const NOTHING = `
  #include <errno.h>
  #include <stddef.h>
  void *nothing(void) { errno = 0; return NULL; }`;

Deno.test({
  name: `bindCalls: null without an error number is returned as it is${reason}`,
  ignore: compiler === undefined,
  fn: () =>
    withCompiled(NOTHING, ["-shared", "-fPIC"], async (library) => {
      const { stdout, stderr } = await runDeno(
        `import { bindCalls } from "POLLUX/backends/ffi/calls.ts";
         const c = bindCalls({
           nothing: { parameters: [], result: "pointer", errors: "errno" },
         }, ${JSON.stringify(library)});
         console.log(c.nothing());`,
        ["--allow-ffi"],
      );
      assertEquals(stdout, "null\n", stderr);
    }),
});

Deno.test("bindCalls: a nonblocking call returns a promise", async () => {
  assertEquals(await c.usleepParked(1000), 0);
});

/** Drops the memory of a call that waits for a pipe, and looks for it meanwhile. */
const DROPPED = `
  import { bindCalls } from "POLLUX/backends/ffi/calls.ts";
  import { pipe, write } from "POLLUX/backends/ffi/mod.ts";
  const c = bindCalls({
    poll: { parameters: ["buffer", "u32", "i32"], result: "i32", nonblocking: true },
  });
  const [reader, writer] = pipe();
  const POLLIN = 1;
  const call = () => {
    const pollfd = Int32Array.of(reader, POLLIN);
    return { memory: new WeakRef(pollfd), polled: c.poll(pollfd, 1, -1) };
  };
  const { memory, polled } = call();
  await new Promise((resolve) => setTimeout(resolve, 1));
  gc();
  console.log(memory.deref() !== undefined);
  write(writer, new Uint8Array(1));
  console.log(await polled);`;

Deno.test({
  name: "bindCalls: memory is not collected while a nonblocking call uses it",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const { stdout, stderr } = await runDeno(DROPPED, [
      "--allow-ffi",
      "--v8-flags=--expose-gc",
    ]);
    assertEquals(stdout, "true\n1\n", stderr);
  },
});

/** A library whose function waits until a descriptor is readable. */
const WAITS = `
  #include <poll.h>
  int wait_for(int fd) {
    struct pollfd pollfd = { fd, POLLIN, 0 };
    return poll(&pollfd, 1, -1);
  }`;

Deno.test({
  name:
    `bindCalls: a library that is disposed of stays until its nonblocking calls return${reason}`,
  ignore: compiler === undefined,
  fn: () =>
    withCompiled(WAITS, ["-shared", "-fPIC"], async (library) => {
      const { stdout, stderr } = await runDeno(
        `import { bindCalls } from "POLLUX/backends/ffi/calls.ts";
         import { pipe, write } from "POLLUX/backends/ffi/mod.ts";
         const c = bindCalls({
           wait_for: { parameters: ["i32"], result: "i32", nonblocking: true },
         }, ${JSON.stringify(library)});
         const { wait_for } = c;
         const [reader, writer] = pipe();
         const waits = wait_for(reader);
         c[Symbol.dispose]();
         try { wait_for(reader); } catch (error) { console.log(error.name); }
         write(writer, new Uint8Array(1));
         console.log(await waits);`,
        ["--allow-ffi"],
      );
      assertEquals(stdout, "BadResource\n1\n", stderr);
    }),
});

Deno.test("bindCalls: binding needs no permission, the first call does", async () => {
  const { stdout, stderr } = await runDeno(
    `import { bindCalls } from "POLLUX/backends/ffi/calls.ts";
     const c = bindCalls({ getpid: { parameters: [], result: "i32" } });
     try { c.getpid(); } catch (error) { console.log(error.name); }`,
    [],
  );
  assertEquals(stdout, "NotCapable\n", stderr);
});

/** A program with own calls: errors, pointers, memory, an ioctl, descriptors. */
const NARROW = `
  import * as ffi from "POLLUX/backends/ffi/calls.ts";
  import { close, pipe, write } from "POLLUX/backends/ffi/mod.ts";
  const c = ffi.bindCalls({
    getpgid: { parameters: ["i32"], result: "i32" },
    fopen: { parameters: ["buffer", "buffer"], result: "pointer", errors: "errno" },
    strlen: { parameters: ["u64"], result: "u64" },
  });
  for (const call of [() => c.getpgid(-1), () => c.fopen(ffi.cString("/no"), ffi.cString("r"))]) {
    try { call(); } catch (error) { console.log(error.code); }
  }
  const text = ffi.cString("12345");
  console.log(c.strlen(ffi.addressOf(text)));
  const [reader, writer] = pipe();
  write(writer, new Uint8Array(7));
  const count = new Int32Array(1);
  ffi.ioctl(reader, Deno.build.os === "linux" ? 0x541b : 0x4004667f, count);
  console.log(count[0]);`;

Deno.test("bindCalls: the permission that ffiPermissionFlag() names is enough", async () => {
  const { stdout, stderr } = await runDeno(NARROW, [ffiPermissionFlag()]);
  assertEquals(stdout, "ESRCH\nENOENT\n5n\n7\n", stderr);
});

/** Fails with one error, and between the attempts with another. */
const MANY_FAILURES = `
  import { bindCalls, cString } from "POLLUX/backends/ffi/calls.ts";
  const c = bindCalls({
    getpgid: { parameters: ["i32"], result: "i32" },
    fopen: { parameters: ["buffer", "buffer"], result: "pointer", errors: "errno" },
  });
  const path = cString("/nowhere"), mode = cString("r");
  for (let i = 0; i < 1500; i++) {
    try { c.getpgid(-1); } catch (error) { if (error.code !== "ESRCH") console.log(i, error.code); }
    try { c.fopen(path, mode); } catch (error) { if (error.code !== "ENOENT") console.log(i, error.code); }
    if (i % 3 === 0) globalThis.kept = new Uint8Array(10000);
  }
  console.log("done");`;

Deno.test({
  name: "bindCalls: in many starts no call gets the error of another",
  ignore: emulated,
  fn: async () => {
    for (const flag of ["--allow-ffi", ffiPermissionFlag()]) {
      const starts = Array.from(
        { length: 20 },
        () => runDeno(MANY_FAILURES, [flag]),
      );
      for (const { stdout, stderr } of await Promise.all(starts)) {
        assertEquals(stdout, "done\n", stderr);
      }
    }
  },
});

/** A library whose function is interrupted twice, and then succeeds. */
const INTERRUPTED = `
  #include <errno.h>
  int calls;
  int interrupted(int limit) {
    if (++calls <= limit) { errno = EINTR; return -1; }
    return calls;
  }`;

Deno.test({
  name:
    `bindCalls: a call that a signal interrupts is repeated, if \`repeat\` is not false${reason}`,
  ignore: compiler === undefined,
  fn: () =>
    withCompiled(INTERRUPTED, ["-shared", "-fPIC"], async (library) => {
      const { stdout, stderr } = await runDeno(
        `import { bindCalls } from "POLLUX/backends/ffi/calls.ts";
         const call = { parameters: ["i32"], result: "i32" };
         const c = bindCalls({
           interrupted: call,
           once: { ...call, name: "interrupted", repeat: false },
         }, ${JSON.stringify(library)});
         console.log(c.interrupted(2));
         try { c.once(10); } catch (error) { console.log(error.code); }`,
        ["--allow-ffi"],
      );
      assertEquals(stdout, "3\nEINTR\n", stderr);
    }),
});

test("cString: a text ends with a NUL, and has none inside", () => {
  assertEquals(cString("é"), Uint8Array.of(0xc3, 0xa9, 0));
  assertEquals(cString("\udcff"), Uint8Array.of(0xff, 0));
  assertThrows(() => cString("a\0b"), TypeError, "NUL");
});

test("addressOf, libraryPath and systemError are the ones of the package", () => {
  const bytes = new Uint8Array(8);
  const pointer = Deno.UnsafePointer.of(bytes);
  assertEquals(addressOf(bytes), BigInt(Deno.UnsafePointer.value(pointer)));
  assert(libraryPath().length > 0);
  assertEquals(systemError("call", EINVAL!, "x").code, "EINVAL");
});

test("ioctl: memory is filled", () => {
  const [reader, writer] = pipe();
  write(writer, new Uint8Array(5));
  const FIONREAD = system().os === "linux" ? 0x541b : 0x4004667f;
  const count = new Int32Array(1);
  assertEquals(ioctl(reader, FIONREAD, count), 0);
  assertEquals(count[0], 5);
  close(reader);
  close(writer);
});

test("ioctl: a number and no argument are passed", () => {
  const [reader, writer] = pipe();
  const FIOCLEX = 0x5451, FIONBIO = 0x5421;
  assertEquals(ioctl(reader, FIOCLEX), 0);
  setBlocking(reader, true);
  assertEquals(ioctl(reader, FIONBIO, Int32Array.of(1)), 0);
  assertEquals(read(reader, new Uint8Array(1)), WOULD_BLOCK);
  close(reader);
  close(writer);
}, ONLY_LINUX);

test("ioctl: a request that the file does not know is an error, a wrong number a RangeError", () => {
  const [reader, writer] = pipe();
  assertEquals(errorOf(() => ioctl(reader, 0x5413, null)).syscall, "ioctl");
  assertThrows(() => ioctl(reader, -1), RangeError, "-1");
  assertThrows(() => ioctl(reader, 1, "text" as never), TypeError);
  close(reader);
  close(writer);
});
