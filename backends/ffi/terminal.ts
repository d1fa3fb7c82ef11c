/**
 * The settings of terminals: tcgetattr(3) and its relatives. A terminal keeps them
 * after the program that changed them, so each change has to be undone.
 *
 * `struct termios` stays opaque here: the C library fills it, changes it and compares
 * it by bytes.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { systemError } from "./errors.ts";
import { libc } from "./libc.ts";

/** More than `struct termios` of `<termios.h>` has: 36 to 72 bytes. */
const TERMIOS_BYTES = 128;

type Termios = Uint8Array<ArrayBuffer>;

/** Returns the settings of a terminal, or the error number negated. */
function readSettings(fd: number): Termios | number {
  const settings = new Uint8Array(new ArrayBuffer(TERMIOS_BYTES));
  const result = libc().tcgetattr(fd, settings);
  return result < 0 ? result : settings;
}

/** Whether a descriptor is a terminal. */
export function isTerminal(fd: number): boolean {
  return typeof readSettings(fd) !== "number";
}

/** The settings that would be lost if the program ended now. */
const unrestored = new Set<FoundSettings>();

function restoreAll(): void {
  for (const settings of unrestored) settings.restore();
}

/**
 * The events of a program that ends: `Deno.exit()` and the last line of a module; an
 * error that nothing catches. A signal that ends the process has none.
 */
const ENDINGS = ["unload", "error", "unhandledrejection"] as const;

/** The settings of a terminal as it was found. */
export class FoundSettings {
  readonly #fd: number;
  readonly #found: Termios;

  private constructor(fd: number, found: Termios) {
    this.#fd = fd;
    this.#found = found;
    if (unrestored.size === 0) {
      for (const ending of ENDINGS) addEventListener(ending, restoreAll);
    }
    unrestored.add(this);
  }

  /** Returns the settings of a descriptor; null if it is no terminal. */
  static of(fd: number): FoundSettings | null {
    const found = readSettings(fd);
    return typeof found === "number" ? null : new FoundSettings(fd, found);
  }

  /** Restores the settings before the descriptor is closed. */
  close(): void {
    this.restore();
    unrestored.delete(this);
    if (unrestored.size > 0) return;
    for (const ending of ENDINGS) removeEventListener(ending, restoreAll);
  }

  /**
   * Restores the settings, if they differ. Otherwise no call is made, because it would
   * stop a program in the background (SIGTTOU). A terminal that has hung up has no
   * settings any more.
   */
  restore(): void {
    const now = readSettings(this.#fd);
    if (typeof now === "number" || isEqual(now, this.#found)) return;
    libc().tcsetattr(this.#fd, system().constants.TCSANOW, this.#found);
  }
}

function isEqual(left: Termios, right: Termios): boolean {
  return left.every((byte, index) => byte === right[index]);
}

/**
 * Makes a terminal raw (cfmakeraw(3)): each key is input at once, without an echo, and
 * Ctrl-C is a byte instead of a signal. Output is not processed either: a new line needs
 * "\r\n".
 *
 * @throws {SystemError} `ENOTTY` if it is no terminal
 */
export function makeRaw(fd: number): void {
  const settings = readSettings(fd);
  if (typeof settings === "number") {
    throw systemError("tcgetattr", -settings, `fd ${fd}`);
  }
  const { cfmakeraw, tcsetattr } = libc();
  cfmakeraw(settings);
  const result = tcsetattr(fd, system().constants.TCSANOW, settings);
  if (result < 0) throw systemError("tcsetattr", -result, `fd ${fd}`);
}
