// TCP and UDP on one port, in one thread: all data and all messages are sent back. A
// scenario of step 12 of docs/io_multiplexing.md.
//
//     deno run --allow-ffi examples/tcp_udp_echo.ts
//
// Then, in another terminal, over TCP and over UDP:
//
//     nc 127.0.0.1 8001
//     nc -u 127.0.0.1 8001

import {
  type Connection,
  formatAddress,
  type InternetAddress,
  Reactor,
} from "../mod.ts";
import { main, parseCommandLine, report } from "./command_line.ts";
import { INSPECT, runOrInspect } from "./inspector/option.ts";

/** TCP is a stream: while the peer does not read, its data is not read. */
function echo(connection: Connection): void {
  connection.onData = (chunk) => {
    if (!connection.write(chunk)) connection.pause();
  };
  connection.onDrain = () => connection.resume();
}

function listen(reactor: Reactor, address: InternetAddress): InternetAddress {
  return reactor.listen(address, echo).address;
}

/** UDP is messages, each with a sender. While paused, some may be lost. */
function bind(reactor: Reactor, address: InternetAddress): void {
  const datagrams = reactor.datagram(address);
  datagrams.onMessage = (message, sender) => {
    if (!isAnswered(sender, address)) return;
    if (!datagrams.send(message, sender)) datagrams.pause();
  };
  datagrams.onDrain = () => datagrams.resume();
  // If one sender cannot be answered, the others still are.
  datagrams.onError = report;
}

/**
 * Whether a sender is answered. After one message with a forged sender, two such
 * servers would echo each other for ever. Port 0 cannot be answered.
 */
function isAnswered(sender: InternetAddress, own: InternetAddress): boolean {
  return sender.port !== own.port && sender.port !== 0;
}

await main(async () => {
  const { address, values } = parseCommandLine(INSPECT);
  using reactor = new Reactor({ onError: report });
  // For port 0 the system chooses a TCP port, and UDP uses the same.
  const chosen = listen(reactor, address);
  bind(reactor, chosen);
  console.log(`Server start at: ${formatAddress(chosen)}`);
  await runOrInspect(reactor, values);
});
