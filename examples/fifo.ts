// Prints lines that other programs of the machine write to a FIFO, each with the time. A
// FIFO is a descriptor for which Deno itself cannot wait; serial ports are another one.
//
//     mkfifo /tmp/messages
//     deno run --allow-ffi examples/fifo.ts /tmp/messages
//
// Then, in other terminals: echo "The backup is complete" > /tmp/messages
//
// Ctrl-C ends it.

import { parseArgs } from "node:util";
import { Reactor } from "../mod.ts";
import { main, orRefuse, report } from "./command_line.ts";

/** Characters of a line that are printed. */
const LONGEST_LINE = 64 * 1024;

function parse(): string {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length === 1) return positionals[0]!;
  throw new TypeError("Usage: fifo.ts PATH");
}

/**
 * Calls back with each line, without the control characters that terminals obey. The
 * FIFO is open for writing, too. Otherwise its end would come when the first writer has
 * left.
 */
function readLines(
  reactor: Reactor,
  path: string,
  callback: (line: string) => void,
): void {
  const decoder = new TextDecoder();
  let rest = "";
  reactor.open(path, { mode: "r+" }).onData = (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    // A line without an end must not fill the memory.
    rest = lines.pop()!.slice(0, LONGEST_LINE);
    for (const line of lines) {
      callback(line.slice(0, LONGEST_LINE).replace(/\p{Control}/gu, ""));
    }
  };
}

await main(() => {
  const path = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  readLines(reactor, path, (line) => {
    console.log(`${new Date().toLocaleTimeString("en-GB")} ${line}`);
  });
  reactor.run();
});
