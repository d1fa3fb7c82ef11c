/**
 * Opens a serial port.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { OpenFile } from "../../backends/ffi/open_file.ts";
import { openFile } from "../../backends/ffi/open_path.ts";
import { streamSettings } from "../../reactor/connection_options.ts";
import { loopOf, type Reactor } from "../../reactor/reactor.ts";
import { fileTransport } from "../../reactor/transport.ts";
import { SerialLine } from "./line.ts";
import { type SerialOptions, serialSettings } from "./options.ts";
import { SerialPort } from "./serial_port.ts";
import { terminalOf } from "./systems.ts";
import { bitsPerByte } from "./termios.ts";

/**
 * Opens a serial port: bytes pass unchanged, and no other program can open it
 * meanwhile (TIOCEXCL and flock(2)).
 *
 * @param reactor The reactor that receives and sends
 * @param path The device, such as /dev/ttyUSB0
 * @param options The rate and the format, which the other side has to share
 * @returns the port; set `onData` to receive
 * @throws {TypeError} if an option is unknown or has no valid value, as in Web Serial
 * @throws {Deno.errors.NotFound} if there is no such device
 * @throws {Deno.errors.Busy} if a program has it open exclusively
 * @throws {Deno.errors.NotSupported} if the device ignores an option, or the system has
 *   no table
 * @throws {SystemError} `ENOTTY` if the path is no terminal, and others
 * @throws {Deno.errors.BadResource} if the reactor is closed
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { openSerial } from "@pollux/reactor/serial";
 *
 * using reactor = new Reactor({ onError: console.error });
 * try {
 *   const port = openSerial(reactor, "/dev/serial/by-id/board", { baudRate: 115200 });
 *   port.onData = (chunk) => {
 *     console.log(new TextDecoder().decode(chunk));
 *     port.close();
 *   };
 *   port.write("AT\r");
 *   reactor.run();
 * } catch (error) {
 *   console.error((error as Error).message); // without such a device
 * }
 * ```
 */
export function openSerial(
  reactor: Reactor,
  path: string,
  options: SerialOptions,
): SerialPort {
  const settings = serialSettings(options);
  terminalOf(system().os);
  const loop = loopOf(reactor);
  loop.checkOpen();
  const shared = streamSettings(loop, fileTransport, {
    highWaterMark: settings.bufferSize,
  });
  const byteTime = bitsPerByte(settings) * 1000 / settings.baudRate;
  // It also restores the modes if the program ends without closing the port.
  const file = new OpenFile(openFile(path, "r+"), "r+");
  const line = new SerialLine(file.fd, path);
  try {
    line.configure(settings);
    return new SerialPort(loop, file, shared, line, path, byteTime);
  } catch (error) {
    line.restore();
    file.close();
    throw error;
  }
}
