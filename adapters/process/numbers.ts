/**
 * The numbers of each system for children and their terminals.
 *
 * Sources: `<spawn.h>`, `<signal.h>`, `<sys/ioctl.h>`, `<termios.h>`,
 * `<sys/event.h>` and `<sys/syscall.h>` of each system. Those of Linux are checked against the C compiler;
 * the others have never run.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";

/** The numbers of one system. */
export interface ProcessNumbers {
  // <spawn.h>
  readonly POSIX_SPAWN_SETSIGDEF: number;
  readonly POSIX_SPAWN_SETSIGMASK: number;
  /** A session of its own; null without, so that there are no terminals. */
  readonly POSIX_SPAWN_SETSID: number | null;

  // <sys/ioctl.h>
  readonly TIOCGWINSZ: number;
  readonly TIOCSWINSZ: number;

  // <termios.h>: c_iflag is the first field of the struct
  /** Erases whole characters of UTF-8; null without. */
  readonly IUTF8: number | null;

  // <sys/syscall.h>, of Linux: the same on every processor
  readonly SYS_pidfd_open: number | null;
  readonly SYS_pidfd_send_signal: number | null;

  // <sys/event.h>, of systems with kqueue
  readonly EVFILT_PROC: number | null;
  readonly NOTE_EXIT: number;

  /** The names of <signal.h>, in the order of their numbers, from 1. */
  readonly signals: readonly string[];
}

function names(text: string): string[] {
  return text.split(" ").map((name) => `SIG${name}`);
}

const linux: ProcessNumbers = {
  POSIX_SPAWN_SETSIGDEF: 0x4,
  POSIX_SPAWN_SETSIGMASK: 0x8,
  POSIX_SPAWN_SETSID: 0x80,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  IUTF8: 0x4000,
  SYS_pidfd_open: 434,
  SYS_pidfd_send_signal: 424,
  EVFILT_PROC: null,
  NOTE_EXIT: 0,
  signals: names(
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT " +
      "CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS",
  ),
};

const freebsd: ProcessNumbers = {
  POSIX_SPAWN_SETSIGDEF: 0x10,
  POSIX_SPAWN_SETSIGMASK: 0x20,
  POSIX_SPAWN_SETSID: null,
  TIOCGWINSZ: 0x40087468,
  TIOCSWINSZ: 0x80087467,
  IUTF8: null,
  SYS_pidfd_open: null,
  SYS_pidfd_send_signal: null,
  EVFILT_PROC: -5,
  NOTE_EXIT: 0x80000000,
  signals: names(
    "HUP INT QUIT ILL TRAP ABRT EMT FPE KILL BUS SEGV SYS PIPE ALRM TERM URG STOP " +
      "TSTP CONT CHLD TTIN TTOU IO XCPU XFSZ VTALRM PROF WINCH INFO USR1 USR2",
  ),
};

const tables: Readonly<Record<string, ProcessNumbers>> = {
  linux,
  freebsd,
  darwin: {
    ...freebsd,
    POSIX_SPAWN_SETSIGDEF: 0x4,
    POSIX_SPAWN_SETSIGMASK: 0x8,
    POSIX_SPAWN_SETSID: 0x400,
    IUTF8: 0x4000,
  },
  netbsd: {
    ...freebsd,
    EVFILT_PROC: 4,
    signals: [...freebsd.signals, "SIGPWR"],
  },
};

/**
 * The numbers of this system.
 *
 * @throws {Deno.errors.NotSupported} if it reports the end of a process neither by a
 *   pidfd nor by a kqueue
 */
export function numbers(): ProcessNumbers {
  const { os, name } = system();
  const table = tables[os];
  if (table !== undefined) return table;
  throw new Deno.errors.NotSupported(`${name} has no pidfd and no kqueue`);
}

/**
 * The number of a signal.
 *
 * @throws {TypeError} if this system has no signal of the name
 */
export function signalNumber(name: string): number {
  const index = numbers().signals.indexOf(name);
  if (index >= 0) return index + 1;
  throw new TypeError(`Cannot send "${name}": it is not a signal here`);
}

/** The name of a signal; "SIG34" and so on for real-time signals. */
export function signalName(number: number): string {
  return numbers().signals[number - 1] ?? `SIG${number}`;
}

/**
 * A function of the C library.
 *
 * @throws {Deno.errors.NotSupported} if it is null because this system lacks it
 */
export function required<F>(call: F | null, name: string): F {
  if (call !== null) return call;
  throw new Deno.errors.NotSupported(`${system().name} has no ${name}`);
}
