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
import { retrying } from "./descriptor.ts";
import { statusOf } from "./file_status.ts";
import { ioctl, libc } from "./libc.ts";

/** More than `struct termios` of `<termios.h>` has: 36 to 72 bytes. */
export const TERMIOS_BYTES = 128;

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

/** `<asm-generic/ioctls.h>` of Linux: the device of a terminal, also behind `/dev/tty`. */
export const TIOCGDEV = 0x80045432;

/** `<asm-generic/ioctls.h>` of Linux: `struct termios2`, and the size of it. */
const TCGETS2 = 0x802c542a;
const TCSETS2 = 0x402c542b;
const TERMIOS2_BYTES = 44;

/**
 * Reads the settings of a terminal. On Linux the C library knows only the usual rates,
 * so those of a serial port are read from the kernel.
 *
 * @returns puts them back, unless they are the same
 */
function snapshotOf(fd: number): () => void {
  const { TCSANOW } = system().constants;
  const read = system().os === "linux" ? readKernelSettings : readSettings;
  const before = read(fd);
  return () => {
    const now = read(fd);
    if (typeof before === "number" || typeof now === "number") return;
    if (isEqual(before, now)) return;
    if (system().os === "linux") ioctl(fd, TCSETS2, before);
    else libc().tcsetattr(fd, TCSANOW, before);
  };
}

/** As `readSettings`, by `struct termios2`. */
function readKernelSettings(fd: number): Termios | number {
  const settings = new Uint8Array(new ArrayBuffer(TERMIOS2_BYTES));
  const result = ioctl(fd, TCGETS2, settings);
  return result < 0 ? result : settings;
}

/** Names a terminal, so that two descriptors of one terminal are recognised. */
function identityOf(fd: number): string {
  const device = new Uint32Array(new ArrayBuffer(4));
  const isKnown = system().os === "linux" && ioctl(fd, TIOCGDEV, device) >= 0;
  if (isKnown) return `${device[0]}`;
  const status = statusOf(fd);
  return `${status.device} ${status.inode}`;
}

/** All settings that are to be restored, in the order of their opening. */
const unrestored = new Set<FoundSettings>();

function restoreAll(): void {
  for (const settings of unrestored) settings.restore();
}

/** An event before the end of a program. The DOM has another `Event`. */
type Ending = Pick<Event, "defaultPrevented">;

/**
 * Nothing runs between these events and the end of the program, unless a listener
 * prevents the end. That may be a later listener: then the terminals get back the
 * settings that the program still needs.
 */
function restoreAtError(event: Ending): void {
  if (event.defaultPrevented) return;
  const used = new Map(
    [...unrestored].map((found) => [found, found.snapshot()]),
  );
  restoreAll();
  queueMicrotask(() => {
    if (!event.defaultPrevented) return;
    for (const [found, reset] of used) if (unrestored.has(found)) reset();
  });
}

/**
 * The events of a program that ends: `Deno.exit()` and the last line of a module; an
 * error that nothing catches. A signal that ends the process has none.
 */
const ENDINGS: Readonly<Record<string, (event: Ending) => void>> = {
  unload: restoreAll,
  error: restoreAtError,
  unhandledrejection: restoreAtError,
};

function listen(): void {
  for (const [name, listener] of Object.entries(ENDINGS)) {
    addEventListener(name, listener);
  }
}

function stopListening(): void {
  for (const [name, listener] of Object.entries(ENDINGS)) {
    removeEventListener(name, listener);
  }
}

/**
 * The settings of a terminal as it was found. Several files of one terminal share those
 * that the first one found: a later one would find the changes of the first.
 */
export class FoundSettings {
  readonly #fd: number;
  readonly #terminal: string;
  readonly #found: Termios;
  #isRaw = false;

  private constructor(fd: number, found: Termios) {
    this.#fd = fd;
    this.#terminal = identityOf(fd);
    const [first] = this.#others();
    this.#found = first === undefined ? found : first.#found;
    if (unrestored.size === 0) listen();
    unrestored.add(this);
  }

  /** Returns the settings of a descriptor; null if it is no terminal. */
  static of(fd: number): FoundSettings | null {
    const found = readSettings(fd);
    return typeof found === "number" ? null : new FoundSettings(fd, found);
  }

  /**
   * Makes the terminal raw (cfmakeraw(3)): each key is input at once, without an echo,
   * and Ctrl-C is a byte instead of a signal. Output is not processed either: a new line
   * needs "\r\n".
   *
   * @throws {SystemError} if the system refuses
   */
  makeRaw(): void {
    const settings = this.#found.slice();
    const { cfmakeraw, tcsetattr } = libc();
    cfmakeraw(settings);
    const { TCSANOW } = system().constants;
    retrying("tcsetattr", () => tcsetattr(this.#fd, TCSANOW, settings));
    this.#isRaw = true;
  }

  /**
   * Restores the settings before the descriptor is closed, unless the terminal is still
   * open by another one that needs them as they are.
   */
  close(): void {
    unrestored.delete(this);
    const others = this.#others();
    const isLast = others.length === 0;
    if (isLast || (this.#isRaw && !others.some((other) => other.#isRaw))) {
      this.restore();
    }
    if (unrestored.size === 0) stopListening();
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

  /** Returns a function that puts the present settings back. */
  snapshot(): () => void {
    return snapshotOf(this.#fd);
  }

  /** The settings of other files of the same terminal. */
  #others(): FoundSettings[] {
    return [...unrestored].filter((other) =>
      other !== this && other.#terminal === this.#terminal
    );
  }
}

function isEqual(left: Termios, right: Termios): boolean {
  return left.every((byte, index) => byte === right[index]);
}
