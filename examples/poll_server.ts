// The article's server with poll: the descriptors are registered once, and come
// back as numbers, each with what it is ready for.
//
//     deno run --allow-ffi examples/poll_server.ts
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts

import {
  formatAddress,
  type InternetAddress,
  Poll,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { accept, listen, type Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** A hang-up or an error is found out by the call that follows. */
const READABLE = POLLIN | POLLHUP | POLLERR;
const WRITABLE = POLLOUT | POLLHUP | POLLERR;

/** Whose number is whose. */
const peers = new Map<number, Peer>();

function serve(address: InternetAddress): void {
  using server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  const poll = new Poll();
  poll.register(server, POLLIN);

  for (;;) {
    for (const [fd, events] of poll.poll()) {
      const peer = peers.get(fd);
      if (peer === undefined) add(poll, accept(server));
      else converse(poll, peer, events);
    }
  }
}

function add(poll: Poll, peer: Peer | null): void {
  if (peer === null) return;
  console.log(`Connected by ${peer.address}`);
  peers.set(peer.fd, peer);
  poll.register(peer, POLLIN);
}

function converse(poll: Poll, peer: Peer, events: number): void {
  if (events & READABLE) read(peer);
  if (events & WRITABLE) peer.sendMessages();
  // The article waits for POLLOUT when there is nothing to send, and burns a core.
  const wanted = (peer.ended ? 0 : POLLIN) | (peer.hasMessages ? POLLOUT : 0);
  if (wanted === 0) close(poll, peer);
  else poll.modify(peer, wanted);
}

function read(peer: Peer): void {
  const data = peer.receive();
  if (data === null) return;
  console.log(`received "${bytesRepr(data)}" from ${peer.address}`);
  peer.put(`Server received ${bytesRepr(data)}`);
}

/** A peer that ended is closed when it has its replies. */
function close(poll: Poll, peer: Peer): void {
  poll.unregister(peer);
  peers.delete(peer.fd);
  peer.close();
}

await main(() => serve(parseCommandLine().address));
