/**
 * The options of a serial port, by the names of Web Serial.
 *
 * Source: Web Serial API, section 4.2, `SerialOptions`.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";

/** How a serial port sends and receives. Both sides of the line have to agree. */
export interface SerialOptions {
  /** Bits a second, a whole number above 0, such as 115,200 or 250,000. */
  readonly baudRate: number;
  /** The bits of a byte. Web Serial only has 7 and 8. Default: 8. */
  readonly dataBits?: 5 | 6 | 7 | 8;
  /** The stop bits after each byte. Default: 1. */
  readonly stopBits?: 1 | 2;
  /**
   * The parity bit of each byte. A byte with a wrong one is received as 0. Default:
   * "none".
   */
  readonly parity?: "none" | "even" | "odd";
  /**
   * How one side makes the other pause. With "hardware" it uses the lines RTS and
   * CTS. With "software" it uses the bytes 0x13 and 0x11, which carry no data then; Web
   * Serial does not have it. Default: "none".
   */
  readonly flowControl?: "none" | "hardware" | "software";
  /**
   * `write()` returns false while more bytes are queued, and `onDrain` is called when
   * no more than a quarter is left. The kernel has buffers of its own. Default: 65,536.
   */
  readonly bufferSize?: number;
}

/** The options with all defaults. */
export type SerialSettings = Required<SerialOptions>;

const SERIAL_OPTIONS: OptionNames<SerialOptions> = {
  baudRate: true,
  dataBits: true,
  stopBits: true,
  parity: true,
  flowControl: true,
  bufferSize: true,
};

/** The values of the options that have few. */
const VALUES = {
  dataBits: [5, 6, 7, 8],
  stopBits: [1, 2],
  parity: ["none", "even", "odd"],
  flowControl: ["none", "hardware", "software"],
} as const;

/** The largest `speed_t`. */
const MAXIMUM = 0xffff_ffff;

/**
 * Checks the options and adds the defaults.
 *
 * @throws {TypeError} if an option is unknown or has no valid value, as in Web Serial
 */
export function serialSettings(options: SerialOptions): SerialSettings {
  checkOptions(options, SERIAL_OPTIONS);
  const settings: SerialSettings = {
    baudRate: options.baudRate,
    dataBits: options.dataBits ?? 8,
    stopBits: options.stopBits ?? 1,
    parity: options.parity ?? "none",
    flowControl: options.flowControl ?? "none",
    bufferSize: options.bufferSize ?? 64 * 1024,
  };
  checkPositive("baudRate", settings.baudRate);
  checkPositive("bufferSize", settings.bufferSize);
  for (const [name, values] of Object.entries(VALUES)) {
    const value = settings[name as keyof typeof VALUES];
    if ((values as readonly unknown[]).includes(value)) continue;
    throw unusable(name, value, `it must be one of ${values.join(", ")}`);
  }
  return settings;
}

function checkPositive(name: string, value: number): void {
  if (Number.isInteger(value) && value > 0 && value <= MAXIMUM) return;
  throw unusable(name, value, "it must be a whole number above 0");
}

function unusable(name: string, value: unknown, why: string): TypeError {
  const shown = typeof value === "string" ? JSON.stringify(value) : value;
  return new TypeError(`Cannot use ${shown} as ${name}: ${why}`);
}
