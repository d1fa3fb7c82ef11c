/**
 * Where `kqueue` and `kevent` are: in the C library of macOS and the BSDs, or
 * in a libkqueue, which puts them on top of other systems.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { errorsByValue, libraryPath } from "./library.ts";
import type { KeventLayout, KqueueConstants } from "./system.ts";

const functions = {
  kqueue: {
    parameters: [],
    result: "i32",
  },
  kevent: {
    parameters: [
      "i32", // int kq
      "buffer", // const struct kevent *changelist
      "u32", // int nchanges; size_t on NetBSD
      "buffer", // struct kevent *eventlist
      "u32", // int nevents; size_t on NetBSD
      "buffer", // const struct timespec *timeout
    ],
    result: "i32",
  },
  keventParked: {
    name: "kevent",
    parameters: [
      "i32", // int kq
      "buffer", // const struct kevent *changelist
      "u32", // int nchanges
      "buffer", // struct kevent *eventlist
      "u32", // int nevents
      "buffer", // const struct timespec *timeout
    ],
    result: "i32",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The two calls, which return -errno if they fail, and what their struct and flags look like. */
export interface KqueueLibrary {
  readonly functions: Deno.DynamicLibrary<typeof functions>["symbols"];
  readonly layout: KeventLayout;
  readonly constants: KqueueConstants;
}

/** libkqueue on Linux: `include/sys/event.h.in` of its release 2.6.5 and later. */
const libkqueue: Omit<KqueueLibrary, "functions"> = {
  layout: {
    size: 32,
    ident: 0,
    filter: 8,
    filterBytes: 2,
    flags: 10,
    fflags: 12,
    data: 16,
    udata: 24,
  },
  constants: {
    EVFILT_READ: -1,
    EVFILT_WRITE: -2,
    EVFILT_TIMER: -7,
    EVFILT_SIGNAL: -6,
    EVFILT_USER: -11,
    EVFILT_EXCEPT: null,
    NOTE_OOB: null,
    NOTE_TRIGGER: 0x1000000,
    EV_ADD: 0x1,
    EV_DELETE: 0x2,
    EV_ENABLE: 0x4,
    EV_DISABLE: 0x8,
    EV_ONESHOT: 0x10,
    EV_CLEAR: 0x20,
    EV_RECEIPT: 0x40,
    EV_DISPATCH: 0x80,
    EV_ERROR: 0x4000,
    EV_EOF: 0x8000,
  },
};

const opened = new Map<string, KqueueLibrary>();

/**
 * Opens the library that has kqueue.
 *
 * @param path A libkqueue; this system's own kqueue if left out
 * @throws {Deno.errors.NotSupported} if this system has none of its own
 */
export function openKqueueLibrary(path?: string): KqueueLibrary {
  const { kevent, kqueue, name, renamedSymbols } = system();
  if (path === undefined && (kevent === null || kqueue === null)) {
    throw new Deno.errors.NotSupported(`${name} has no kqueue of its own`);
  }
  const file = path ?? libraryPath();
  const known = opened.get(file);
  if (known !== undefined) return known;
  const symbol = path === undefined ? renamedSymbols["kevent"] : undefined;
  const wanted = {
    ...functions,
    kevent: { ...functions.kevent, name: symbol ?? "kevent" },
    keventParked: { ...functions.keventParked, name: symbol ?? "kevent" },
  };
  const { symbols } = Deno.dlopen(file, wanted);
  const library = {
    functions: errorsByValue(symbols, wanted),
    layout: kevent ?? libkqueue.layout,
    constants: kqueue ?? libkqueue.constants,
  };
  opened.set(file, library);
  return library;
}
