/**
 * The library that has `kqueue` and `kevent`: the C library of macOS and the BSDs, or
 * a libkqueue, which implements them on other systems.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { libraryPath, openFunctions } from "./library.ts";
import {
  type KeventLayout,
  keventLayout,
  plainKevent,
} from "./structs/kevent.ts";
import { parked } from "./symbols.ts";
import type { Platform } from "./system.ts";

// int kevent(int kq, const struct kevent *changelist, int nchanges,
//            struct kevent *eventlist, int nevents, const struct timespec *timeout)
// Both counts are size_t on NetBSD.
const kevent = {
  parameters: ["i32", "buffer", "u32", "buffer", "u32", "buffer"],
  result: "i32",
} as const;

const functions = {
  // int kqueue(void)
  kqueue: { parameters: [], result: "i32" },
  kevent,
  keventParked: parked("kevent", kevent),
} as const satisfies Deno.ForeignLibraryInterface;

/** Both functions, which return -errno if they fail, with their struct and flags. */
export interface KqueueLibrary {
  readonly functions: Deno.DynamicLibrary<typeof functions>["symbols"];
  readonly layout: KeventLayout;
  readonly constants: KqueueConstants;
}

/** Flags of `kevent()`. See `<sys/event.h>`. */
export interface KqueueConstants {
  /** There are bytes to read, or connections to accept. */
  readonly EVFILT_READ: number;
  /** There is room to write. */
  readonly EVFILT_WRITE: number;
  /** A timer expired. */
  readonly EVFILT_TIMER: number;
  /** A signal was delivered. */
  readonly EVFILT_SIGNAL: number;
  /** The program triggers it. */
  readonly EVFILT_USER: number | null;
  /** Exceptional conditions, as out-of-band data; null except on macOS. */
  readonly EVFILT_EXCEPT: number | null;
  /** EVFILT_EXCEPT: out-of-band data. */
  readonly NOTE_OOB: number | null;
  /** EVFILT_USER: trigger it. */
  readonly NOTE_TRIGGER: number | null;
  /** Add a filter, or change it. */
  readonly EV_ADD: number;
  /** Remove a filter. */
  readonly EV_DELETE: number;
  /** Enable a disabled filter. */
  readonly EV_ENABLE: number;
  /** Keep the filter without reports. */
  readonly EV_DISABLE: number;
  /** Remove it after one report. */
  readonly EV_ONESHOT: number;
  /** Edge-triggered: report only new readiness. */
  readonly EV_CLEAR: number;
  /** Disable it after one report. */
  readonly EV_DISPATCH: number | null;
  /** A change failed; `data` is the error number. */
  readonly EV_ERROR: number;
  /** End of file, or the peer has closed. */
  readonly EV_EOF: number;
}

/** The flags of changes and events: the same numbers everywhere. */
const flags = {
  EV_ADD: 0x1,
  EV_DELETE: 0x2,
  EV_ENABLE: 0x4,
  EV_DISABLE: 0x8,
  EV_ONESHOT: 0x10,
  EV_CLEAR: 0x20,
  EV_DISPATCH: 0x80,
  EV_ERROR: 0x4000,
  EV_EOF: 0x8000,
  NOTE_TRIGGER: 0x1000000,
};

/** FreeBSD; libkqueue on Linux, in `include/sys/event.h.in` since its release 2.6.5. */
const freebsd: KqueueConstants = {
  ...flags,
  EVFILT_READ: -1,
  EVFILT_WRITE: -2,
  EVFILT_TIMER: -7,
  EVFILT_SIGNAL: -6,
  EVFILT_USER: -11,
  EVFILT_EXCEPT: null,
  NOTE_OOB: null,
};

/** By system: `<sys/event.h>` of each. */
const constants: Readonly<Record<string, KqueueConstants>> = {
  freebsd,
  darwin: {
    ...freebsd,
    EVFILT_USER: -10,
    EVFILT_EXCEPT: -15,
    NOTE_OOB: 0x2,
  },
  netbsd: {
    ...flags,
    EVFILT_READ: 0,
    EVFILT_WRITE: 1,
    EVFILT_TIMER: 6,
    EVFILT_SIGNAL: 5,
    EVFILT_USER: 8,
    EVFILT_EXCEPT: null,
    NOTE_OOB: null,
  },
};

/** The constants of a system; null without kqueue. */
export function kqueueConstants({ os }: Platform): KqueueConstants | null {
  return constants[os] ?? null;
}

const opened = new Map<string, KqueueLibrary>();

/**
 * Opens the library that has kqueue.
 *
 * @param path A libkqueue. Default: this system's own kqueue
 * @throws {Deno.errors.NotSupported} if this system has none of its own
 */
export function openKqueueLibrary(path?: string): KqueueLibrary {
  const own = system();
  const layout = keventLayout(own);
  const constants = kqueueConstants(own);
  if (path === undefined && (layout === null || constants === null)) {
    throw new Deno.errors.NotSupported(`${own.name} has no kqueue of its own`);
  }
  const file = path ?? libraryPath();
  const known = opened.get(file);
  if (known !== undefined) return known;
  const renamed = path === undefined ? own.renamedSymbols["kevent"] : undefined;
  const name = renamed ?? "kevent";
  const library = {
    functions: openFunctions({
      ...functions,
      kevent: { ...kevent, name },
      keventParked: parked(name, kevent),
    }, file),
    layout: layout ?? plainKevent,
    constants: constants ?? freebsd,
  };
  opened.set(file, library);
  return library;
}
