// A server that is replaced while clients connect, and no connection fails. Start it
// again, and the new process takes over the listening socket of the old one.
//
//     deno run --allow-ffi examples/hot_restart.ts
//     deno run --allow-ffi examples/hot_restart.ts    (in another terminal)
//
// A client sends a line, and the reply says which process has served it:
//
//     while true; do echo hello | nc -N 127.0.0.1 8001; done
//
// Ctrl-C ends it. `--path` is where the processes meet.

import { takeOver } from "../adapters/systemd/mod.ts";
import { type Connection, formatAddress, Reactor } from "../mod.ts";
import { main, onInterrupt, parseCommandLine, report } from "./command_line.ts";
import { INSPECT, inspect } from "./inspector/option.ts";

/** An abstract name of Linux has no file. Elsewhere, pass a path. */
const MEETING = "@pollux-hot-restart";

/** How long connections of the old process may take to finish, in milliseconds. */
const GRACE = 10_000;

/** A client whose line is longer is disconnected. */
const LONGEST_LINE = 64 * 1024;

/** Replies to the first line, and closes the connection after all is sent. */
function answer(connection: Connection): void {
  const decoder = new TextDecoder();
  let text = "";
  connection.onData = (chunk) => {
    text += decoder.decode(chunk, { stream: true });
    const end = text.indexOf("\n");
    if (end === -1) {
      // A line without an end must not fill the memory.
      if (text.length > LONGEST_LINE) connection.close();
      return;
    }
    connection.onData = null;
    connection.end(`process ${Deno.pid}: ${text.slice(0, end)}\n`);
  };
}

await main(async () => {
  const { address, values } = parseCommandLine({
    path: { type: "string", default: MEETING },
    ...INSPECT,
  });
  await using reactor = new Reactor({ onError: report });
  onInterrupt(() => reactor.shutdown({ timeout: GRACE }));
  const served = reactor.serve();
  await inspect(reactor, values);
  const path = String(values.path).replace(/^@/, "\0");
  using restart = await takeOver(reactor, path);
  const socket = restart.socket("server");
  const server = reactor.listen(socket ? { socket } : address, answer);
  await restart.handOver({ server }, () => {
    console.log(`Replaced, connections left: ${reactor.connections}`);
    reactor.shutdown({ timeout: GRACE });
  });
  if (socket !== null) console.log("Took over from the process before");
  console.log(`Server start at: ${formatAddress(server.address)}`);
  await served;
  console.log("Goodbye");
});
