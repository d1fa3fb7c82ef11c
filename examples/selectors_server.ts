// Step 7 of docs/io_multiplexing.md: the server with a selector, which uses the best
// readiness call of the system. Each connection has a queue of messages.
//
//     deno run --allow-ffi examples/selectors_server.ts
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts

import {
  DefaultSelector,
  EVENT_READ,
  EVENT_WRITE,
  formatAddress,
  type InternetAddress,
  type Selector,
  type Socket,
} from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { Acceptor, listen, Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** A peer has its queue, so a key needs no data. */
type Sockets = Selector<null, Socket | Peer>;

function serve(address: InternetAddress): void {
  using sock = listen(address);
  console.log(`Server start at: ${formatAddress(sock.localAddress)}`);
  using selector: Sockets = new DefaultSelector();
  const acceptor = new Acceptor(
    sock,
    () => selector.register(sock, EVENT_READ, null),
    () => selector.unregister(sock),
  );

  for (;;) {
    for (const [key, mask] of selector.select(acceptor.timeout())) {
      const conn = key.fileobj;
      if (conn instanceof Peer) converse(selector, conn, mask);
      else welcome(selector, acceptor);
    }
  }
}

function welcome(selector: Sockets, acceptor: Acceptor): void {
  const accepted = acceptor.accept();
  if (accepted === null) return;
  const conn = new Peer(...accepted);
  console.log(`Connected by ${conn.address}`);
  selector.register(conn, EVENT_READ, null);
}

function converse(selector: Sockets, conn: Peer, mask: number): void {
  if (mask & EVENT_READ) read(conn);
  if (mask & EVENT_WRITE) conn.sendMessages();
  update(selector, conn);
}

function read(conn: Peer): void {
  const data = conn.receive();
  if (data === null) return;
  const shown = bytesRepr(data);
  console.log(`received "${shown}" from ${conn.address}`);
  conn.put(`Server received ${shown}`);
}

/** The article modifies `sock`, the listening socket, instead of `conn`. */
function update(selector: Sockets, conn: Peer): void {
  const events = (conn.wantsRead ? EVENT_READ : 0) |
    (conn.wantsWrite ? EVENT_WRITE : 0);
  if (events === 0) close(selector, conn);
  else selector.modify(conn, events, null);
}

/** The article never closes a connection: at end of file it stays readable. */
function close(selector: Sockets, conn: Peer): void {
  selector.unregister(conn);
  conn.close();
}

await main(() => serve(parseCommandLine().address));
