/**
 * The structs and numbers of preview 1, as wasi-libc has them.
 */

import { assertEquals } from "@std/assert";
import * as wasi from "../../../adapters/wasi/mod.ts";

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
    assertEquals(theirs, Object.entries(wasi.ERRNO));
  },
});

Deno.test({
  name: `every constant is that of wasi/api.h${absent}`,
  ignore: header === undefined,
  fn(): void {
    const theirs = constants("");
    const ours = Object.entries(wasi).filter(([name]) =>
      /^(CLOCKID|EVENTTYPE|EVENTRWFLAGS|SUBCLOCKFLAGS|FILETYPE|FDFLAGS|RIFLAGS|ROFLAGS|SDFLAGS|RIGHTS)_/
        .test(name)
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
    const { SUBSCRIPTION, EVENT, FDSTAT, IOVEC } = wasi;
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

/** A view that is full of what must not stay. */
function dirty(): DataView {
  return new DataView(new Uint8Array(128).fill(0xaa).buffer);
}

Deno.test("a subscription to a clock comes back whole", () => {
  const view = dirty();
  const subscription: wasi.Subscription = {
    userdata: 0xfedc_ba98_7654_3210n,
    type: "clock",
    clockId: wasi.CLOCKID_MONOTONIC,
    timeout: 2n ** 64n - 1n,
    precision: 12n,
    absolute: true,
  };
  wasi.encodeSubscription(view, 8, subscription);
  assertEquals(wasi.decodeSubscription(view, 8), subscription);
  assertEquals(view.getUint8(7), 0xaa);
  assertEquals(view.getUint8(8 + 48), 0xaa);
});

for (const type of ["read", "write"] as const) {
  Deno.test(`a subscription to ${type} comes back whole`, () => {
    const view = dirty();
    const subscription: wasi.Subscription = { userdata: 7n, type, fd: 3 };
    wasi.encodeSubscription(view, 0, subscription);
    assertEquals(wasi.decodeSubscription(view, 0), subscription);
  });
}

Deno.test("a subscription with an unknown tag is undefined", () => {
  assertEquals(wasi.decodeSubscription(dirty(), 0), undefined);
});

Deno.test("an event comes back whole", () => {
  const view = dirty();
  const event: wasi.Event = {
    userdata: 2n ** 63n,
    error: 8,
    type: 2,
    nbytes: 2n ** 40n,
    flags: 1,
  };
  wasi.encodeEvent(view, 16, event);
  assertEquals(wasi.decodeEvent(view, 16), event);
});

Deno.test("an fdstat comes back whole", () => {
  const view = dirty();
  const stat: wasi.Fdstat = {
    filetype: 6,
    flags: 4,
    rightsBase: 2n ** 29n,
    rightsInheriting: 2n ** 63n,
  };
  wasi.encodeFdstat(view, 0, stat);
  assertEquals(wasi.decodeFdstat(view, 0), stat);
});

Deno.test("an iovec comes back whole", () => {
  const view = dirty();
  const iovec = { pointer: 0xffff_fff0, length: 16 };
  wasi.encodeIovec(view, 4, iovec);
  assertEquals(wasi.decodeIovec(view, 4), iovec);
});

Deno.test("a system's error gets the number that WASI has for its name", () => {
  assertEquals(wasi.wasiErrno("EAGAIN"), 6);
  assertEquals(wasi.wasiErrno("ECONNRESET"), 15);
  assertEquals(wasi.wasiErrno("EOPNOTSUPP"), wasi.ERRNO.ENOTSUP);
  assertEquals(wasi.wasiErrno("EUCLEAN"), wasi.ERRNO.EIO);
  assertEquals(wasi.wasiErrnoName(6), "EAGAIN");
  assertEquals(wasi.wasiErrnoName(600), "E600");
});
