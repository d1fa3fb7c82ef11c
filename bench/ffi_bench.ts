/**
 * Measures the cost of a call into C by its declared signature. The signatures in
 * `backends/ffi/` follow from it. The numbers hold for one version of Deno.
 *
 *     deno bench -A bench/ffi_bench.ts
 *
 * Each row makes 1,000 calls in a loop of its own, since V8 compiles each call site
 * for the functions that it has called. The microseconds of a row are the nanoseconds of
 * a call.
 *
 * @module
 */

import { errorByValue } from "../backends/ffi/errno.ts";
import { libc } from "../backends/ffi/libc.ts";
import { errno } from "../backends/ffi/library.ts";
import { compile, compiled } from "./compile.ts";

const CALLS = 1000;
const SOURCE = "empty_function.c";

const signatures = {
  narrow: {
    name: "empty",
    parameters: ["i32", "buffer", "u32", "i32"],
    result: "i32",
  },
  other: {
    name: "empty",
    parameters: ["i32", "buffer", "u32", "i32"],
    result: "i32",
  },
  pointer: {
    name: "empty",
    parameters: ["i32", "pointer", "u32", "i32"],
    result: "i32",
  },
  wide: {
    name: "empty",
    parameters: ["i32", "buffer", "usize", "i32"],
    result: "i32",
  },
  wideResult: {
    name: "empty",
    parameters: ["i32", "buffer", "usize", "i32"],
    result: "isize",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** A loop returns the sum of its results, so that V8 cannot remove calls. */
function bench(group: string, name: string, loop: () => number | bigint): void {
  Deno.bench(name, { group }, () => void loop());
}

function benchSignatures(path: string): void {
  const group = "1,000 calls of an empty function";
  const { narrow, other, pointer, wide, wideResult } = Deno.dlopen(
    path,
    signatures,
  ).symbols;
  const bytes = new Uint8Array(new ArrayBuffer(64));
  const buffer = bytes.buffer;
  const address = Deno.UnsafePointer.of(buffer);
  const addressNumber = Deno.UnsafePointer.value(address);

  bench(group, "the loop alone", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += i;
    return sum;
  });
  bench(group, "Uint8Array, u32 → i32", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += narrow(3, bytes, 64, 0);
    return sum;
  });
  bench(group, "ArrayBuffer, u32 → i32", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += narrow(3, buffer, 64, 0);
    return sum;
  });
  bench(group, "pointer object, u32 → i32", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += pointer(3, address, 64, 0);
    return sum;
  });
  bench(group, "usize given a number → i32", () => {
    let sum = 0;
    // @ts-expect-error: the type is bigint, but the runtime accepts a number, too
    for (let i = 0; i < CALLS; i++) sum += wide(3, bytes, 64, 0);
    return sum;
  });
  bench(group, "usize given a bigint → i32", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += wide(3, bytes, 64n, 0);
    return sum;
  });
  bench(group, "usize given a bigint → isize", () => {
    let sum = 0n;
    for (let i = 0; i < CALLS; i++) sum += wideResult(3, bytes, 64n, 0);
    return sum;
  });
  bench(group, "a fresh subarray for each call", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) {
      sum += narrow(3, bytes.subarray(0, 32), 32, 0);
    }
    return sum;
  });
  bench(group, "UnsafePointer.of() for each call", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) {
      sum += pointer(3, Deno.UnsafePointer.of(bytes), 64, 0);
    }
    return sum;
  });
  bench(group, "UnsafePointer.create() for each call", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) {
      sum += pointer(3, Deno.UnsafePointer.create(addressNumber), 64, 0);
    }
    return sum;
  });
  const framed = errorByValue(narrow, 4, errno()) as typeof narrow;
  bench(group, "Uint8Array, u32 → i32 or -errno", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += framed(3, bytes, 64, 0);
    return sum;
  });
  const functions = [narrow, other];
  bench(group, "one place that calls two functions", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) {
      sum += functions[i & 1]!(3, bytes, 64, 0);
    }
    return sum;
  });
}

function benchErrno(): void {
  const group = "1,000 reads of errno";
  const { memory } = errno();
  const location = errno().location as Deno.PointerObject;
  const view = new Deno.UnsafePointerView(location);
  const copy = new Int32Array(new ArrayBuffer(4));
  const { memcpyFrom } = libc();

  bench(group, "mapped Int32Array", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += memory[0]!;
    return sum;
  });
  bench(group, "UnsafePointerView.getInt32", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += view.getInt32();
    return sum;
  });
  bench(group, "memcpy", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) {
      memcpyFrom(copy, location, 4);
      sum += copy[0]!;
    }
    return sum;
  });
}

function benchHandlers(): void {
  const group = "1,000 handlers found by descriptor";
  const array = Array.from({ length: 1024 }, (_, fd) => ({ fd }));
  const map = new Map(array.map((handler) => [handler.fd, handler]));

  bench(group, "array", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += array[i]!.fd;
    return sum;
  });
  bench(group, "Map", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += map.get(i)!.fd;
    return sum;
  });
}

function benchClocks(): void {
  const group = "1,000 readings of a clock";
  bench(group, "performance.now()", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += performance.now();
    return sum;
  });
  bench(group, "Date.now()", () => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += Date.now();
    return sum;
  });
}

const answer = await compile(SOURCE, "-shared", "-fPIC");
if (answer === true) benchSignatures(compiled(SOURCE));
else console.error(`skipped the signatures: ${answer}`);
benchErrno();
benchHandlers();
benchClocks();
