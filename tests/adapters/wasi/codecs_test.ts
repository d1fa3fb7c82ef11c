/**
 * The structs and numbers of preview 1, as wasi-libc has them.
 */

import { assertEquals } from "@std/assert";
import * as abi from "../../../backends/wasi/abi.ts";
import {
  ERRNO,
  wasiErrno,
  wasiErrnoName,
} from "../../../backends/wasi/errno.ts";
import { EVENT, SUBSCRIPTION } from "../../../backends/wasi/layout.ts";
import { FDSTAT } from "../../../adapters/wasi/fdstat.ts";
import { IOVEC } from "../../../adapters/wasi/iovec.ts";
import * as rights from "../../../adapters/wasi/rights.ts";

const HEADER = "/usr/include/wasm32-wasi/wasi/api.h";

function readHeader(): string | undefined {
  try {
    return Deno.readTextFileSync(HEADER);
  } catch {
    return undefined;
  }
}

const header = readHeader();
const absent = header === undefined ? " (ignored: no wasi-libc)" : "";

/** The constants of the header that begin with `prefix`, without `__WASI_`. */
function constants(prefix: string): Map<string, bigint> {
  const pattern = new RegExp(
    `#define __WASI_(${prefix}\\w+) \\(+(?:UINT\\d+_C\\((\\d+)\\)|__wasi_\\w+\\)\\(1 << (\\d+)\\))`,
    "g",
  );
  return new Map(
    [...header!.matchAll(pattern)].map(([, name, number, bit]) => [
      name!,
      number === undefined ? 1n << BigInt(bit!) : BigInt(number),
    ]),
  );
}

Deno.test({
  name: `every error number is that of wasi/api.h${absent}`,
  ignore: header === undefined,
  fn(): void {
    const theirs = [...constants("ERRNO_")].map(([name, number]) => [
      `E${name.slice("ERRNO_".length)}`,
      Number(number),
    ]);
    assertEquals(theirs.length, 77);
    assertEquals(theirs, Object.entries(ERRNO));
  },
});

Deno.test({
  name: `every constant is that of wasi/api.h${absent}`,
  ignore: header === undefined,
  fn(): void {
    const theirs = constants("");
    const ours = [...Object.entries(abi), ...Object.entries(rights)].filter(
      ([name]) =>
        /^(CLOCKID|EVENTTYPE|EVENTRWFLAGS|SUBCLOCKFLAGS|FILETYPE|LOOKUPFLAGS|OFLAGS|FSTFLAGS|FDFLAGS|RIFLAGS|ROFLAGS|SDFLAGS|RIGHTS)_/
          .test(name),
    );
    for (const [name, number] of ours) {
      assertEquals(BigInt(number as number | bigint), theirs.get(name), name);
    }
    assertEquals(ours.length > 25, true);
  },
});

Deno.test({
  name: `every size and offset is that of wasi/api.h${absent}`,
  ignore: header === undefined,
  fn(): void {
    const asserted = (expression: string): number => {
      const escaped = expression.replace(/[()]/g, "\\$&");
      const match = new RegExp(`_Static_assert\\(${escaped} == (\\d+)`)
        .exec(header!);
      return Number(match![1]);
    };
    const offset = (struct: string, field: string): number =>
      asserted(`offsetof(__wasi_${struct}_t, ${field})`);
    assertEquals(SUBSCRIPTION.size, asserted("sizeof(__wasi_subscription_t)"));
    assertEquals(SUBSCRIPTION.tag, offset("subscription", "u"));
    // The union of `u` is aligned to 8 bytes, so its tag is followed by 7 that are not used.
    const union = SUBSCRIPTION.tag + 8;
    assertEquals(SUBSCRIPTION.clockId, union);
    assertEquals(SUBSCRIPTION.fd, union);
    assertEquals(
      SUBSCRIPTION.timeout,
      union + offset("subscription_clock", "timeout"),
    );
    assertEquals(
      SUBSCRIPTION.precision,
      union + offset("subscription_clock", "precision"),
    );
    assertEquals(
      SUBSCRIPTION.flags,
      union + offset("subscription_clock", "flags"),
    );
    assertEquals(EVENT.size, asserted("sizeof(__wasi_event_t)"));
    assertEquals(EVENT.error, offset("event", "error"));
    assertEquals(EVENT.type, offset("event", "type"));
    const readwrite = offset("event", "fd_readwrite");
    assertEquals(EVENT.nbytes, readwrite);
    assertEquals(
      EVENT.flags,
      readwrite + offset("event_fd_readwrite", "flags"),
    );
    assertEquals(FDSTAT.size, asserted("sizeof(__wasi_fdstat_t)"));
    assertEquals(FDSTAT.flags, offset("fdstat", "fs_flags"));
    assertEquals(FDSTAT.rightsBase, offset("fdstat", "fs_rights_base"));
    assertEquals(
      FDSTAT.rightsInheriting,
      offset("fdstat", "fs_rights_inheriting"),
    );
    assertEquals(IOVEC.size, asserted("sizeof(__wasi_iovec_t)"));
    assertEquals(IOVEC.length, offset("iovec", "buf_len"));
  },
});

Deno.test("wasiErrno: a system's error has the number of its name in WASI", () => {
  assertEquals(wasiErrno("EAGAIN"), 6);
  assertEquals(wasiErrno("ECONNRESET"), 15);
  assertEquals(wasiErrno("EOPNOTSUPP"), ERRNO.ENOTSUP);
  assertEquals(wasiErrno("EUCLEAN"), ERRNO.EIO);
  assertEquals(wasiErrnoName(6), "EAGAIN");
  assertEquals(wasiErrnoName(600), "E600");
});
