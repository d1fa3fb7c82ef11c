// Step 10 of docs/io_multiplexing.md: the server on the reactor, which accepts, queues,
// waits for room and closes. The program only answers received data.
//
//     deno run --allow-ffi examples/reactor_server.ts
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts
//
// `nc 127.0.0.1 8001` works, too.

import { type Connection, formatAddress, Reactor } from "../mod.ts";
import { main, parseCommandLine, report } from "./command_line.ts";
import { INSPECT, runOrInspect } from "./inspector/option.ts";
import { addressRepr, bytesRepr } from "./python_notation.ts";

const encoder = new TextEncoder();

function welcome(connection: Connection): void {
  const address = addressRepr(connection.remoteAddress);
  console.log(`Connected by ${address}`);
  connection.onData = (data) => {
    const shown = bytesRepr(data);
    console.log(`received "${shown}" from ${address}`);
    reply(connection, `Server received ${shown}`);
  };
  connection.onDrain = () => connection.resume();
}

/** While a peer does not read its replies, its messages are not read. */
function reply(connection: Connection, message: string): void {
  if (!connection.write(encoder.encode(message))) connection.pause();
}

await main(async () => {
  const { address, values } = parseCommandLine(INSPECT);
  using reactor = new Reactor({ onError: report });
  const server = reactor.listen(address, welcome);
  console.log(`Server start at: ${formatAddress(server.address)}`);
  await runOrInspect(reactor, values);
});
