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
import { close, openFile, read } from "../backends/ffi/mod.ts";
import { Reactor } from "../mod.ts";
import { main, orRefuse, report } from "./command_line.ts";

/** Lines of concurrent writers do not mix up to this length: PIPE_BUF of Linux. */
const BUFFER_BYTES = 4096;

function parse(): string {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length === 1) return positionals[0]!;
  throw new TypeError("Usage: fifo.ts PATH");
}

/**
 * Calls back with each line. The FIFO is open for writing, too. Otherwise it would be at
 * end of file, and always ready, from the end of one writer to the start of the next.
 */
function readLines(
  reactor: Reactor,
  path: string,
  callback: (line: string) => void,
): void {
  const fd = openFile(path, "r+");
  const buffer = new Uint8Array(BUFFER_BYTES);
  const decoder = new TextDecoder();
  let rest = "";
  reactor.addReader(fd, () => {
    const count = read(fd, buffer);
    // A regular file has an end, a FIFO that is open for writing has none.
    if (count === 0) {
      reactor.removeReader(fd);
      close(fd);
    } else if (count > 0) {
      const bytes = buffer.subarray(0, count);
      const lines = (rest + decoder.decode(bytes, { stream: true })).split(
        "\n",
      );
      rest = lines.pop()!;
      lines.forEach(callback);
    }
  });
}

await main(() => {
  const path = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  readLines(reactor, path, (line) => {
    console.log(`${new Date().toLocaleTimeString("en-GB")} ${line}`);
  });
  reactor.run();
});
