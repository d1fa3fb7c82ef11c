// Step 4 of docs/io_multiplexing.md: the server with poll. Descriptors are registered
// once, and returned as numbers with their events.
//
//     deno run --allow-ffi examples/poll_server.ts
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts

import {
  Poll,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
} from "../backends/mod.ts";
import { formatAddress, type InternetAddress } from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { Acceptor, listen, Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/**
 * A hang-up or an error is always reported, and the next call on the socket reports the
 * cause. POLLNVAL (not open) cannot occur: a peer is unregistered before it is closed.
 */
const HANG_UP = POLLHUP | POLLERR;

/** The peer of each number. */
const peers = new Map<number, Peer>();

function serve(address: InternetAddress): void {
  using server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  const poll = new Poll();
  const acceptor = new Acceptor(
    server,
    () => poll.register(server, POLLIN),
    () => poll.unregister(server),
  );

  for (;;) {
    for (const [fd, events] of poll.poll(acceptor.timeout())) {
      const peer = peers.get(fd);
      if (peer === undefined) welcome(poll, acceptor);
      else converse(poll, peer, events);
    }
  }
}

function welcome(poll: Poll, acceptor: Acceptor): void {
  const accepted = acceptor.accept();
  if (accepted === null) return;
  const peer = new Peer(...accepted);
  console.log(`Connected by ${peer.address}`);
  peers.set(peer.fd, peer);
  poll.register(peer, POLLIN | POLLPRI);
}

function converse(poll: Poll, peer: Peer, events: number): void {
  if (events & (POLLIN | HANG_UP)) read(peer);
  if (events & (POLLOUT | HANG_UP)) peer.sendMessages();
  const wanted = (peer.wantsRead ? POLLIN | POLLPRI : 0) |
    (peer.wantsWrite ? POLLOUT : 0);
  // This protocol has no urgent data.
  if (wanted === 0 || (events & POLLPRI) !== 0) close(poll, peer);
  else poll.modify(peer, wanted);
}

function read(peer: Peer): void {
  const data = peer.receive();
  if (data === null) return;
  const shown = bytesRepr(data);
  console.log(`received "${shown}" from ${peer.address}`);
  peer.put(`Server received ${shown}`);
}

function close(poll: Poll, peer: Peer): void {
  poll.unregister(peer);
  peers.delete(peer.fd);
  peer.close();
}

await main(() => serve(parseCommandLine().address));
