/**
 * Serial ports as streams, by the names of Web Serial. Linux, FreeBSD and NetBSD are
 * supported; macOS is from its headers alone, and was not tested.
 *
 * @module
 */

export type { SerialBuffer } from "./line.ts";
export { openSerial } from "./open_serial.ts";
export type { SerialOptions } from "./options.ts";
export { SerialPort } from "./serial_port.ts";
export type { SerialInputSignals, SerialOutputSignals } from "./signals.ts";
