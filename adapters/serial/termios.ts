/**
 * Raw settings of a serial port in `struct termios`: bytes pass unchanged, as after
 * cfmakeraw(3), at the rate and in the format of the options.
 *
 * @module
 */

import type { SerialSettings } from "./options.ts";
import type { Terminal } from "./systems.ts";

/** XON and XOFF of ASCII: DC1 and DC3. */
const XON = 0x11;
const XOFF = 0x13;

/** The error of a rate that a device still receives. A byte of 10 bits allows 5 %. */
const RATE_TOLERANCE = 0.03;

/** The rates that TIOCSETA of macOS accepts, from its `sys/termios.h`. */
const DARWIN_STANDARD = [
  50,
  75,
  110,
  134,
  150,
  200,
  300,
  600,
  1200,
  1800,
  2400,
  4800,
  7200,
  9600,
  14400,
  19200,
  28800,
  38400,
  57600,
  76800,
  115200,
  230400,
];

/** A `struct termios`. */
export class Termios {
  readonly bytes: DataView<ArrayBuffer>;
  readonly #terminal: Terminal;

  /** @param bytes A copy of its bytes. Default: zeros */
  constructor(terminal: Terminal, bytes?: DataView<ArrayBuffer>) {
    const { size } = terminal.termios;
    this.#terminal = terminal;
    this.bytes = bytes ?? new DataView(new ArrayBuffer(size));
  }

  /** Returns a copy. */
  copy(): Termios {
    return new Termios(
      this.#terminal,
      new DataView(this.bytes.buffer.slice(0)),
    );
  }

  /** Input modes, c_iflag. */
  get inputModes(): number {
    return this.#word(0);
  }

  /** Control modes, c_cflag. */
  get controlModes(): number {
    return this.#word(2);
  }

  /** The rate of the output in bits a second, c_ospeed. */
  get rate(): number {
    return this.bytes.getUint32(this.#terminal.termios.outputSpeed, true);
  }

  /** Sets raw modes, the format and the rate. Bits without a name here stay. */
  configure(settings: SerialSettings): void {
    const terminal = this.#terminal;
    const kept = this.controlModes & ~(formatMask(terminal) | terminal.CBAUD);
    this.#setWord(0, inputModes(terminal, settings));
    this.#setWord(1, 0);
    this.#setWord(
      2,
      kept | terminal.BOTHER | terminal.CREAD | terminal.CLOCAL |
        format(terminal, settings),
    );
    this.#setWord(3, 0);
    this.#setControlCharacter(terminal.VMIN, 1);
    this.#setControlCharacter(terminal.VTIME, 0);
    this.#setControlCharacter(terminal.VSTART, XON);
    this.#setControlCharacter(terminal.VSTOP, XOFF);
    this.#setRate(
      needsSpeedRequest(terminal, settings) ? 9600 : settings.baudRate,
    );
  }

  #word(index: number): number {
    return this.bytes.getUint32(index * this.#terminal.termios.wordBytes, true);
  }

  #setWord(index: number, value: number): void {
    const offset = index * this.#terminal.termios.wordBytes;
    this.bytes.setUint32(offset, value, true);
  }

  #setControlCharacter(index: number, value: number): void {
    const { controlCharacters } = this.#terminal.termios;
    this.bytes.setUint8(controlCharacters + index, value);
  }

  #setRate(rate: number): void {
    const { inputSpeed, outputSpeed } = this.#terminal.termios;
    this.bytes.setUint32(inputSpeed, rate, true);
    this.bytes.setUint32(outputSpeed, rate, true);
  }
}

/** Whether the rate has to be set by IOSSIOSPEED, after `struct termios`. */
export function needsSpeedRequest(
  { IOSSIOSPEED }: Terminal,
  { baudRate }: SerialSettings,
): boolean {
  return IOSSIOSPEED !== null && !DARWIN_STANDARD.includes(baudRate);
}

/**
 * The option that a device has ignored: tcsetattr(3) succeeds if it can do any of the
 * requested changes.
 *
 * @param actual The settings of the device afterwards
 * @returns undefined if it has ignored none
 */
export function ignoredOption(
  terminal: Terminal,
  settings: SerialSettings,
  actual: Termios,
): keyof SerialSettings | undefined {
  const { baudRate } = settings;
  const wanted = format(terminal, settings);
  const { CSIZE, CSTOPB, PARENB, PARODD, CRTSCTS } = terminal;
  const differs = (mask: number): boolean =>
    ((actual.controlModes ^ wanted) & mask) !== 0;
  if (differs(CSIZE)) return "dataBits";
  if (differs(CSTOPB)) return "stopBits";
  if (differs(PARENB | PARODD)) return "parity";
  if (differs(CRTSCTS)) return "flowControl";
  if (needsSpeedRequest(terminal, settings)) return undefined;
  const error = Math.abs(actual.rate - baudRate) / baudRate;
  return error > RATE_TOLERANCE ? "baudRate" : undefined;
}

/** Bits for one byte: a start bit, the data, the parity and the stop bits. */
export function bitsPerByte(
  { dataBits, stopBits, parity }: SerialSettings,
): number {
  return 1 + dataBits + (parity === "none" ? 0 : 1) + stopBits;
}

function inputModes(
  { INPCK, IXON, IXOFF }: Terminal,
  { parity, flowControl }: SerialSettings,
): number {
  return (parity === "none" ? 0 : INPCK) |
    (flowControl === "software" ? IXON | IXOFF : 0);
}

/** The control modes that the options decide. */
function format(terminal: Terminal, settings: SerialSettings): number {
  const { dataBits, stopBits, parity, flowControl } = settings;
  const { CS6, CSTOPB, PARENB, PARODD, CRTSCTS } = terminal;
  return (dataBits - 5) * CS6 |
    (stopBits === 2 ? CSTOPB : 0) |
    (parity === "none" ? 0 : PARENB) |
    (parity === "odd" ? PARODD : 0) |
    (flowControl === "hardware" ? CRTSCTS : 0);
}

function formatMask(
  { CSIZE, CSTOPB, PARENB, PARODD, CMSPAR, CRTSCTS }: Terminal,
): number {
  return CSIZE | CSTOPB | PARENB | PARODD | CMSPAR | CRTSCTS;
}
