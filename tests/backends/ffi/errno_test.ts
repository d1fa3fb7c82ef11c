/**
 * Errors by value: a call returns its own error number, whatever V8 does meanwhile.
 */

import { assertEquals } from "@std/assert";
import { system } from "../../../backends/ffi/current_system.ts";
import { errorByValue } from "../../../backends/ffi/errno.ts";
import { fileCalls } from "../../../backends/ffi/file_calls.ts";
import { fcntl, libc, open } from "../../../backends/ffi/libc.ts";
import { ffiPermissionFlag } from "../../../backends/ffi/mod.ts";
import {
  anyFile,
  denoProgram,
  emulated,
  posixTest,
  runDeno,
} from "../../util.ts";

const { EBADF, ENOENT } = system().errno;

/** A number that no test opens. */
const CLOSED = 1_000_000;

/** Calls `symbol` through a frame of its own, with EBADF in a mapped errno. */
function throughFrame(
  symbol: (...parameters: number[]) => number | bigint,
  ...parameters: number[]
): number | bigint {
  const memory = Int32Array.of(EBADF!);
  const errno = { memory, location: null, copy: null };
  const framed = errorByValue(symbol, parameters.length, errno);
  return framed(...parameters as never[]);
}

Deno.test("a call that succeeds returns its result, whatever errno is", () => {
  assertEquals(throughFrame(() => 0), 0);
  assertEquals(throughFrame((...all) => all.length, 1, 2, 3), 3);
});

Deno.test("a call that fails returns its error number, negated", () => {
  assertEquals(throughFrame(() => -1), -EBADF!);
});

Deno.test("a number of 64 bits has 64 bits, whether it is a result or an error", () => {
  assertEquals(throughFrame(() => 2n ** 40n), 2n ** 40n);
  assertEquals(throughFrame(() => -1n), BigInt(-EBADF!));
});

Deno.test("where errno cannot be mapped it is copied after a failure, and only then", () => {
  const memory = new Int32Array(1);
  let copies = 0;
  const copy = (): void => void (memory[0] = ++copies);
  const symbol = (result: number): number => result;
  const framed = errorByValue(symbol, 1, { memory, location: null, copy });
  const results = [5, -1, 7, -1].map((result) => framed(result as never));
  assertEquals(results, [5, -1, 7, -2]);
});

posixTest("every kind of call returns the number of its error", () => {
  const bytes = new Uint8Array(new ArrayBuffer(128));
  const path = new TextEncoder().encode("/nowhere/at/all\0");
  const calls = libc();
  const results = {
    accept: calls.accept(CLOSED, null, null),
    bind: calls.bind(CLOSED, bytes, 16),
    close: calls.close(CLOSED),
    connect: calls.connect(CLOSED, bytes, 16),
    dup: calls.dup(CLOSED),
    fcntl: fcntl(CLOSED, system().constants.F_GETFD),
    listen: calls.listen(CLOSED, 1),
    lseek: Number(fileCalls.lseek(CLOSED, 0n, 0)),
    read: calls.read(CLOSED, bytes, 1),
    recv: calls.recv(CLOSED, bytes, 1, 0),
    recvfrom: calls.recvfrom(CLOSED, bytes, 1, 0, null, null),
    send: calls.send(CLOSED, bytes, 1, 0),
    sendto: calls.sendto(CLOSED, bytes, 1, 0, bytes, 16),
    setsockopt: calls.setsockopt(CLOSED, 1, 1, bytes, 4),
    shutdown: calls.shutdown(CLOSED, 0),
    write: calls.write(CLOSED, bytes, 1),
  };
  for (const [call, result] of Object.entries(results)) {
    assertEquals(result, -EBADF!, call);
  }
  assertEquals(open(path, 0), -ENOENT!);
  assertEquals(calls.unlink(path), -ENOENT!);
});

posixTest(
  "a parked call, whose number is another thread's, returns -1",
  async () => {
    assertEquals(await libc().ioctlParked?.(CLOSED, 0, null), -1);
  },
);

/** The flag of a program that allows no code made from text. */
const NO_CODE_FROM_TEXT = "--v8-flags=--disallow-code-generation-from-strings";

Deno.test("the numbers are right even if no code may be made from text", async () => {
  const { stdout, stderr } = await runDeno(
    `import { libc } from "POLLUX/backends/ffi/libc.ts";
     console.log(libc().listen(${CLOSED}, 1), libc().shutdown(${CLOSED}, 0));`,
    ["--allow-ffi", NO_CODE_FROM_TEXT],
  );
  assertEquals(stdout, `${-EBADF!} ${-EBADF!}\n`, stderr);
});

/**
 * V8 compiles the loop and collects its garbage, and makes system calls that fail
 * too, once in a process. So each start of a process is one attempt.
 */
const MANY_FAILURES = `
  import { read, socketPair } from "POLLUX/backends/ffi/mod.ts";
  const [reader] = socketPair();
  const buffer = new Uint8Array(16);
  for (let i = 0; i < 1500; i++) {
    try { read(reader, buffer); } catch (error) { console.log(i, error.code); }
    if (i % 3 === 0) globalThis.kept = new Uint8Array(10000);
  }`;

/** Fewer on Windows, where a start takes a second under Wine. */
const STARTS = anyFile ? 200 : 12;
const AT_ONCE = 4;

/** All that a program prints that is started so many times. */
async function printedBy(source: string, flags: string[]): Promise<string> {
  const root = new URL("../../../", import.meta.url).href;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, source.replaceAll("POLLUX/", root));
  const command = new Deno.Command(denoProgram(), {
    args: ["run", "--no-prompt", "--no-check", ...flags, file],
    env: { NO_COLOR: "1" },
  });
  let printed = "";
  let starts = 0;
  const startInTurn = async (): Promise<void> => {
    while (starts++ < STARTS) {
      const { stdout, stderr } = await command.output();
      for (const bytes of [stdout, stderr]) {
        printed += new TextDecoder().decode(bytes);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, startInTurn));
  } finally {
    await Deno.remove(file);
  }
  return printed;
}

Deno.test({
  name:
    `in ${STARTS} starts no call gets another's error, where errno is mapped`,
  ignore: emulated,
  fn: async () =>
    assertEquals(await printedBy(MANY_FAILURES, ["--allow-ffi"]), ""),
});

Deno.test({
  name:
    `in ${STARTS} starts no call gets another's error, where errno is copied`,
  ignore: emulated,
  fn: async () =>
    assertEquals(await printedBy(MANY_FAILURES, [ffiPermissionFlag()]), ""),
});
