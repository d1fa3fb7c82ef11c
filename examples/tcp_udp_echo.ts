// TCP and UDP on one port, served by one thread: what is sent to either comes back.
//
//     deno run --allow-ffi examples/tcp_udp_echo.ts
//
// Then, in another terminal, over TCP and over UDP:
//
//     nc 127.0.0.1 8001
//     nc -u 127.0.0.1 8001

import {
  type Connection,
  type Datagram,
  formatAddress,
  type InternetAddress,
  Reactor,
  type SocketAddress,
} from "../mod.ts";
import { main, parseCommandLine, report } from "./command_line.ts";

/** TCP is a stream: a peer that does not read is not listened to until it does. */
function echo(connection: Connection): void {
  connection.onData = (chunk) => {
    if (!connection.write(chunk)) connection.pause();
  };
  connection.onDrain = () => connection.resume();
}

/** UDP is messages: each has a sender, and those that come meanwhile may be lost. */
function echoTo(
  sender: SocketAddress,
  message: Uint8Array<ArrayBuffer>,
  datagrams: Datagram,
): void {
  if (!datagrams.send(message, sender)) datagrams.pause();
}

function listen(reactor: Reactor, address: InternetAddress): InternetAddress {
  return reactor.listen(address, echo).address;
}

function bind(reactor: Reactor, address: InternetAddress): void {
  const datagrams = reactor.datagram(address);
  datagrams.onMessage = (message, sender) => {
    if (isAnswered(sender as InternetAddress, address)) {
      echoTo(sender, message, datagrams);
    }
  };
  datagrams.onDrain = () => datagrams.resume();
  // A sender that cannot be answered is not the end of the others.
  datagrams.onError = report;
}

/**
 * Two such servers would echo each other for ever, had a forged sender introduced them.
 * An answer to port 0 is refused: each would be a line on standard error.
 */
function isAnswered(sender: InternetAddress, own: InternetAddress): boolean {
  return sender.port !== own.port && sender.port !== 0;
}

await main(() => {
  const { address } = parseCommandLine();
  using reactor = new Reactor({ onError: report });
  // With port 0 it is TCP that is given one, and UDP takes the same.
  const chosen = listen(reactor, address);
  bind(reactor, chosen);
  console.log(`Server start at: ${formatAddress(chosen)}`);
  reactor.run();
});
