// An echo service on sockets that systemd has opened. It starts at the first connection.
// systemd-socket-activate, of Debian's package systemd, does the same without a unit.
//
//     systemd-socket-activate -l 127.0.0.1:8001 -l /tmp/echo.sock --fdname=tcp:local \
//         deno run --allow-ffi --allow-env examples/activated.ts
//
// Then, in other terminals: `nc 127.0.0.1 8001` and `nc -U /tmp/echo.sock`. With the
// option -d the sockets are of UDP: `nc -u 127.0.0.1 8001`.
//
// Ctrl-C ends it, and so does `systemctl stop`.

import { parseArgs } from "node:util";
import {
  inheritedSockets,
  notify,
  watchdogInterval,
} from "../adapters/systemd/mod.ts";
import {
  type Connection,
  formatAddress,
  Reactor,
  type Socket,
} from "../mod.ts";
import { main, orRefuse, refuse, report } from "./command_line.ts";
import { INSPECT, inspect } from "./inspector/option.ts";

/** How long connections may take to finish after a signal, in milliseconds. */
const GRACE = 2000;

/** TCP is a stream: while the peer does not read, its data is not read. */
function echo(connection: Connection): void {
  connection.onData = (chunk) => {
    if (!connection.write(chunk)) connection.pause();
  };
  connection.onDrain = () => connection.resume();
}

/** UDP is messages, each with a sender. */
function echoDatagrams(reactor: Reactor, socket: Socket): void {
  const datagrams = reactor.datagram({ socket });
  datagrams.onMessage = (message, sender) => {
    if (!datagrams.send(message, sender)) datagrams.pause();
  };
  datagrams.onDrain = () => datagrams.resume();
  // If one sender cannot be answered, the others still are.
  datagrams.onError = report;
}

/** Serves all sockets, and returns how many there are. */
function serveAll(reactor: Reactor): number {
  const sockets = inheritedSockets();
  for (const { name, socket, listening } of sockets) {
    console.log(`Serves ${name}: ${formatAddress(socket.localAddress)}`);
    if (listening) reactor.listen({ socket }, echo);
    else if (socket.type === "datagram") echoDatagrams(reactor, socket);
    else echo(reactor.adopt(socket)); // a connection, as with Accept=yes
  }
  return sockets.length;
}

/** Reports that the loop is not stuck, twice as often as systemd expects it. */
function feedWatchdog(reactor: Reactor): void {
  const interval = watchdogInterval();
  if (interval === null) return;
  const feed = (): boolean => notify({ watchdog: true });
  reactor.callEvery(interval / 2, feed);
}

function shutDown(reactor: Reactor): void {
  notify({ stopping: true });
  reactor.shutdown({ timeout: GRACE });
}

await main(async () => {
  const { values } = orRefuse(() => parseArgs({ options: INSPECT }));
  await using reactor = new Reactor({ onError: report });
  const count = serveAll(reactor);
  if (count === 0) {
    refuse(
      "Cannot find a socket: start this program by systemd-socket-activate",
    );
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => shutDown(reactor));
  }
  await inspect(reactor, values);
  feedWatchdog(reactor);
  notify({ ready: true, status: `Serves ${count} sockets` });
  await reactor.serve();
});
