/**
 * Pseudoterminals: one side for this program, the other for the programs in it.
 *
 * Some facts that explain the code:
 *
 * - A session leader without a terminal gets the one that it opens without O_NOCTTY
 *   as its controlling terminal. So the child opens it by its path.
 * - The terminal side is kept open until the child has it. Some systems answer EIO to
 *   a terminal that was never opened, and ENOTTY to its size.
 * - The side of this program reads EIO once no process has the other one open.
 *   `OpenFile` makes it the end of file.
 * - If the side of this program is closed, the kernel sends SIGHUP to the session.
 *
 * Sources: pty(7), tty_ioctl(4), credentials(7).
 *
 * @module
 */

import { ioctl } from "../../backends/ffi/calls.ts";
import { system } from "../../backends/ffi/current_system.ts";
import {
  close,
  retrying,
  setBlocking,
  setCloseOnExec,
} from "../../backends/ffi/descriptor.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { processCalls } from "../../backends/ffi/process_calls.ts";
import { OpenFile } from "../../backends/ffi/open_file.ts";
import { openFile } from "../../backends/ffi/open_path.ts";
import { checkOptions } from "../../backends/ffi/options.ts";
import { streamSettings } from "../../reactor/connection_options.ts";
import { loopOf, type Reactor } from "../../reactor/reactor.ts";
import { Stream } from "../../reactor/stream.ts";
import { fileTransport } from "../../reactor/transport.ts";
import { numbers, required } from "./numbers.ts";

/** The size of a terminal, in characters. */
export interface TerminalSize {
  /** Lines: a whole number from 1 to 65,535. */
  readonly rows: number;
  /** Characters in a line: a whole number from 1 to 65,535. */
  readonly columns: number;
}

/**
 * The terminal of a child, as a stream: `onData` is called with the output of its
 * programs, and `write()` types.
 *
 * "\x03" (Ctrl-C) sends SIGINT to the foreground job. "\x04" (Ctrl-D) at the start of a
 * line is the end of its input. `close()` hangs up, and the kernel sends SIGHUP to the
 * session. The end of file comes when
 * no process has the terminal open any more.
 */
export class Terminal extends Stream {
  /** Called by `spawn()`. */
  constructor(reactor: Reactor, fd: number) {
    const loop = loopOf(reactor);
    super(loop, new OpenFile(fd), streamSettings(loop, fileTransport, {}));
  }

  /**
   * The size, which the programs in the terminal can change, too.
   *
   * @throws {RangeError} if the terminal is closed
   */
  get size(): TerminalSize {
    const size = new Uint16Array(new ArrayBuffer(8));
    ioctl(this, numbers().TIOCGWINSZ, size);
    return { rows: size[0]!, columns: size[1]! };
  }

  /**
   * Changes the size. The foreground job gets SIGWINCH if it is another one.
   *
   * @throws {RangeError} if a number is not whole, or not from 1 to 65,535; or if the
   *   terminal is closed
   */
  resize(rows: number, columns: number): void {
    setSize(this.fd, { rows, columns });
  }
}

/** @throws {RangeError} if a number is not whole, or not from 1 to 65,535 */
export function checkSize(size: TerminalSize): void {
  checkOptions(size, { rows: true, columns: true });
  const { rows, columns } = size;
  for (const count of [rows, columns]) {
    if (Number.isInteger(count) && count >= 1 && count <= 0xffff) continue;
    throw new RangeError(`Cannot make a terminal of ${rows} × ${columns}`);
  }
}

/** `struct winsize`: `unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel`. */
function setSize(fd: number, size: TerminalSize): void {
  checkSize(size);
  ioctl(
    fd,
    numbers().TIOCSWINSZ,
    Uint16Array.of(size.rows, size.columns, 0, 0),
  );
}

/** The two sides of a new pseudoterminal. */
export interface Pseudoterminal extends Disposable {
  /** The side of this program, non-blocking. */
  readonly fd: number;
  /** The path of the terminal side. */
  readonly path: string;
  /** Closes the terminal side here. */
  [Symbol.dispose](): void;
}

/**
 * Opens a pseudoterminal.
 *
 * @throws {Deno.errors.NotSupported} if children cannot have a session of their own
 * @throws {SystemError} `EMFILE`, `ENOSPC` at the limit of terminals, and others
 */
export function openTerminal(size: TerminalSize): Pseudoterminal {
  required(numbers().POSIX_SPAWN_SETSID, "POSIX_SPAWN_SETSID for a terminal");
  const { O_RDWR, O_NOCTTY } = system().constants;
  const posix_openpt = required(processCalls.posix_openpt, "posix_openpt");
  const fd = retrying("posix_openpt", () => posix_openpt(O_RDWR | O_NOCTTY));
  try {
    setCloseOnExec(fd);
    setBlocking(fd, false);
    const path = unlockedPath(fd);
    const terminal = openFile(path, "r+");
    setSize(fd, size);
    useUtf8(terminal);
    return { fd, path, [Symbol.dispose]: () => close(terminal) };
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** `struct termios` is smaller on every system. */
const TERMIOS_ROOM = 256;

/** Lets the backspace key erase a whole character, not a byte of it. */
function useUtf8(fd: number): void {
  const { IUTF8 } = numbers();
  if (IUTF8 === null) return;
  const termios = new Uint32Array(new ArrayBuffer(TERMIOS_ROOM));
  const { tcgetattr, tcsetattr } = libc();
  const { TCSANOW } = system().constants;
  retrying("tcgetattr", () => tcgetattr(fd, termios));
  termios[0]! |= IUTF8;
  retrying("tcsetattr", () => tcsetattr(fd, TCSANOW, termios));
}

/** Makes the terminal side ready to be opened, and returns its path. */
function unlockedPath(fd: number): string {
  const { grantpt, unlockpt } = processCalls;
  retrying("grantpt", () => required(grantpt, "grantpt")(fd));
  retrying("unlockpt", () => required(unlockpt, "unlockpt")(fd));
  const name = new Uint8Array(new ArrayBuffer(1024));
  const ptsname_r = required(libc().ptsname_r, "ptsname_r");
  const errno = ptsname_r(fd, name, name.length);
  if (errno !== 0) throw systemError("ptsname_r", Math.abs(errno));
  return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
}
