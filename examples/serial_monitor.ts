// Prints the lines that a device sends over a serial line, each with the time, and sends
// the lines that you type.
//
//     deno run --allow-ffi examples/serial_monitor.ts /dev/ttyUSB0 --baud 9600
//
// Without a device, socat makes a port of another terminal:
//
//     socat pty,rawer,link=/tmp/port -
//     deno run --allow-ffi examples/serial_monitor.ts /tmp/port
//
// Ctrl-C ends it.

import { parseArgs } from "node:util";
import { openSerial, type SerialPort } from "../adapters/serial/mod.ts";
import { Reactor, type Stream } from "../mod.ts";
import { main, onInterrupt, orRefuse, report } from "./command_line.ts";

const STANDARD_INPUT = 0;

/** Characters of a line that are printed. A device may send noise without line ends. */
const LONGEST_LINE = 64 * 1024;

function parse(): { readonly path: string; readonly baudRate: number } {
  const { positionals, values: { baud } } = parseArgs({
    allowPositionals: true,
    options: { baud: { type: "string", default: "115200" } },
  });
  if (positionals.length !== 1) {
    throw new TypeError("Usage: serial_monitor.ts PATH [--baud RATE]");
  }
  if (!/^[1-9]\d{0,8}$/.test(baud)) {
    throw new TypeError(`Cannot use rate "${baud}": it must be a number`);
  }
  return { path: positionals[0]!, baudRate: Number(baud) };
}

/** Prints each line, without the control characters that terminals obey. */
function printLines(port: SerialPort): void {
  const decoder = new TextDecoder();
  let rest = "";
  port.onData = (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!.slice(0, LONGEST_LINE);
    const time = new Date().toLocaleTimeString("en-GB");
    for (const line of lines) {
      const shown = line.slice(0, LONGEST_LINE).replace(/\p{Control}/gu, "");
      console.log(`${time} ${shown}`);
    }
  };
}

/** Sends typed lines. The keyboard waits while the device takes no more. */
function sendLines(input: Stream, port: SerialPort): void {
  const decoder = new TextDecoder();
  input.onData = (chunk) => {
    const text = decoder.decode(chunk, { stream: true });
    if (!port.write(text.replaceAll("\n", "\r\n"))) input.pause();
  };
  port.onDrain = () => input.resume();
}

await main(async () => {
  const { path, baudRate } = orRefuse(parse);
  await using reactor = new Reactor({ onError: report });
  const port = openSerial(reactor, path, { baudRate });
  printLines(port);
  sendLines(reactor.open(STANDARD_INPUT), port);
  port.onClose = (error) => {
    console.log(error ? error.message : "The device was unplugged");
    reactor.stop();
  };
  onInterrupt(() => {
    port.onClose = null;
    reactor.stop();
  });
  console.log(`${path} is open, with ${baudRate} bits a second`);
  await reactor.serve();
});
