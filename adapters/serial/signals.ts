/**
 * The modem lines of a serial port, by the names of Web Serial.
 *
 * Source: Web Serial API, sections 4.5 and 4.6; ioctl_tty(2), "Modem control".
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { TIOCM } from "./systems.ts";

/** The lines that the other side drives. */
export interface SerialInputSignals {
  /** DCD: the modem has a connection. */
  readonly dataCarrierDetect: boolean;
  /** CTS: the other side can receive. */
  readonly clearToSend: boolean;
  /** RI: a call is coming in. */
  readonly ringIndicator: boolean;
  /** DSR: the other side is switched on. */
  readonly dataSetReady: boolean;
}

/** The lines that this side drives. A line that is not named stays as it is. */
export interface SerialOutputSignals {
  /** DTR: this side is ready. Many boards start anew at a change of it. */
  readonly dataTerminalReady?: boolean;
  /** RTS: this side can receive. With hardware flow control the kernel drives it. */
  readonly requestToSend?: boolean;
  /** The break condition: the line is held at 0, which no byte does. */
  readonly break?: boolean;
}

const OUTPUT_SIGNALS: OptionNames<SerialOutputSignals> = {
  dataTerminalReady: true,
  requestToSend: true,
  break: true,
};

/** The signals of the bits of TIOCMGET. */
export function inputSignals(bits: number): SerialInputSignals {
  const has = (bit: number): boolean => (bits & bit) !== 0;
  return {
    dataCarrierDetect: has(TIOCM.CAR),
    clearToSend: has(TIOCM.CTS),
    ringIndicator: has(TIOCM.RNG),
    dataSetReady: has(TIOCM.DSR),
  };
}

/**
 * The modem lines that signals switch to a state.
 *
 * @param state Whether the lines are switched on
 */
export function linesTo(signals: SerialOutputSignals, state: boolean): number {
  return (signals.dataTerminalReady === state ? TIOCM.DTR : 0) |
    (signals.requestToSend === state ? TIOCM.RTS : 0);
}

/**
 * Checks signals.
 *
 * @throws {TypeError} if there is none, one is unknown, or one is not a boolean
 */
export function checkSignals(signals: SerialOutputSignals): void {
  checkOptions(signals, OUTPUT_SIGNALS);
  const values = Object.entries(signals)
    .filter(([, value]) => value !== undefined);
  if (values.length === 0) throw new TypeError("Cannot set no signals");
  for (const [name, value] of values) {
    if (typeof value === "boolean") continue;
    throw new TypeError(`Cannot use ${value} as ${name}: it must be a boolean`);
  }
}
