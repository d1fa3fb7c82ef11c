/**
 * The calls on the descriptor of a serial port.
 *
 * Source: ioctl_tty(2), termios(3), flock(2).
 *
 * @module
 */

import { bindCalls, ioctl } from "../../backends/ffi/calls.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { isSystemError, systemError } from "../../backends/ffi/errors.ts";
import type { SerialSettings } from "./options.ts";
import { type Terminal, terminalOf, TIOCSER_TEMT } from "./systems.ts";
import { ignoredOption, needsSpeedRequest, Termios } from "./termios.ts";

/** LOCK_EX and LOCK_NB of `<sys/file.h>`, the same on every system. */
const LOCK_EX_NB = 6;

const CALLS = {
  // int flock(int fd, int operation)
  flock: { parameters: ["i32", "i32"], result: "i32", wouldBlock: true },
  // int tcflush(int fd, int queue_selector)
  tcflush: { parameters: ["i32", "i32"], result: "i32" },
} as const;

/** The buffers of the kernel that `flush()` empties. */
export type SerialBuffer = "input" | "output" | "both";

/** A terminal that this program uses exclusively, and leaves as it was. */
export class SerialLine {
  readonly #fd: number;
  readonly #path: string;
  readonly #terminal: Terminal = terminalOf(system().os);
  readonly #calls = bindCalls(CALLS);
  readonly #value = new Int32Array(1);
  #original: Termios | null = null;
  #isExclusive = false;
  #isBreaking = false;
  #reportsTransmitter: boolean = this.#terminal.TIOCSERGETLSR !== null;

  /**
   * @param fd The descriptor, which the caller closes
   * @param path For the messages of errors
   */
  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  /**
   * Locks the terminal and sets its modes.
   *
   * @throws {SystemError} `Deno.errors.Busy` if it is in use, `ENOTTY` if it is none
   * @throws {Deno.errors.NotSupported} with the option that the device has ignored
   */
  configure(settings: SerialSettings): void {
    this.#modes(); // throws ENOTTY if it is no terminal
    this.#lock();
    this.#original = this.#modes();
    const wanted = this.#original.copy();
    wanted.configure(settings);
    this.#control("TCSETS", wanted.bytes);
    if (needsSpeedRequest(this.#terminal, settings)) {
      const speed = BigUint64Array.of(BigInt(settings.baudRate));
      this.#control("IOSSIOSPEED", speed);
    }
    const name = ignoredOption(this.#terminal, settings, this.#modes());
    if (name === undefined) return;
    throw new Deno.errors.NotSupported(
      `Device '${this.#path}' does not support ${name} ${settings[name]}`,
    );
  }

  /** The modem lines, as bits of TIOCM. */
  lines(): number {
    return this.#number("TIOCMGET");
  }

  /** Switches modem lines on or off. */
  setLines(bits: number, state: boolean): void {
    if (bits === 0) return;
    this.#control(state ? "TIOCMBIS" : "TIOCMBIC", Int32Array.of(bits));
  }

  /** Begins or ends the break condition. */
  setBreak(state: boolean): void {
    this.#control(state ? "TIOCSBRK" : "TIOCCBRK", null);
    this.#isBreaking = state;
  }

  /** Discards received bytes that were not read, and written ones that were not sent. */
  discard(buffer: SerialBuffer): void {
    const { TCIFLUSH, TCOFLUSH, TCIOFLUSH } = this.#terminal;
    const queue =
      { input: TCIFLUSH, output: TCOFLUSH, both: TCIOFLUSH }[buffer];
    this.#calls.tcflush(this.#fd, queue);
  }

  /** How many bytes the device still has to send. A busy transmitter counts as one. */
  unsent(): number {
    const count = this.#number("TIOCOUTQ");
    return count === 0 && !this.#isTransmitterEmpty() ? 1 : count;
  }

  /** Leaves the terminal as it was. After a hang-up it has no modes any more. */
  restore(): void {
    try {
      if (this.#isBreaking) this.setBreak(false);
      if (this.#original !== null) {
        this.#control("TCSETS", this.#original.bytes);
      }
      if (this.#isExclusive) this.#control("TIOCNXCL", null);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    } finally {
      this.#calls[Symbol.dispose]();
    }
  }

  /**
   * TIOCEXCL refuses every other open, except by root. The advisory lock also refuses
   * programs that lock, and two that have opened the port at the same time.
   */
  #lock(): void {
    if (this.#calls.flock(this.#fd, LOCK_EX_NB) < 0) {
      const { EBUSY } = system().errno;
      throw systemError("flock", EBUSY!, `'${this.#path}'`);
    }
    this.#control("TIOCEXCL", null);
    this.#isExclusive = true;
  }

  #modes(): Termios {
    const termios = new Termios(this.#terminal);
    this.#control("TCGETS", termios.bytes);
    return termios;
  }

  /** Not every driver reports it. */
  #isTransmitterEmpty(): boolean {
    if (!this.#reportsTransmitter) return true;
    try {
      return (this.#number("TIOCSERGETLSR") & TIOCSER_TEMT) !== 0;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#reportsTransmitter = false;
      return true;
    }
  }

  #number(name: RequestName): number {
    this.#control(name, this.#value);
    return this.#value[0]!;
  }

  #control(name: RequestName, argument: BufferSource | null): void {
    try {
      ioctl(this.#fd, this.#terminal[name]!, argument);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw systemError("ioctl", error.errno, `${name} '${this.#path}'`);
    }
  }
}

/** The requests of a `Terminal`. */
type RequestName =
  | "TCGETS"
  | "TCSETS"
  | "IOSSIOSPEED"
  | "TIOCEXCL"
  | "TIOCNXCL"
  | "TIOCMGET"
  | "TIOCMBIS"
  | "TIOCMBIC"
  | "TIOCSBRK"
  | "TIOCCBRK"
  | "TIOCOUTQ"
  | "TIOCSERGETLSR";
