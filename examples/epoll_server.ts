// Step 5 of docs/io_multiplexing.md: the server with epoll, which keeps registrations in
// the kernel. It reports readiness (level-triggered) or, with --edge, its changes.
//
//     deno run --allow-ffi examples/epoll_server.ts
//     deno run --allow-ffi examples/epoll_server.ts --edge
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts

import {
  Epoll,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
} from "../backends/mod.ts";
import { formatAddress, type InternetAddress } from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { Acceptor, listen, Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** After a hang-up or an error the next call on the socket reports the cause. */
const HANG_UP = EPOLLHUP | EPOLLERR;

/** Both directions, registered once: an edge costs nothing until something changes. */
const EDGES = EPOLLIN | EPOLLOUT | EPOLLET;

/** How many reads one peer has before the next peer is served. */
const READS_A_TURN = 16;

/** The peer of each number. */
const peers = new Map<number, Peer>();

function serve(address: InternetAddress, edge: boolean): void {
  using server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  using epoll = new Epoll();
  const acceptor = new Acceptor(
    server,
    () => epoll.register(server, edge ? EPOLLIN | EPOLLET : EPOLLIN),
    () => epoll.unregister(server),
  );
  const welcome = edge ? welcomeAll : welcomeOne;
  const converse = edge ? converseByEdge : converseByLevel;

  for (;;) {
    for (const [fd, events] of epoll.poll(acceptor.timeout())) {
      const peer = peers.get(fd);
      if (peer === undefined) welcome(epoll, acceptor);
      else converse(epoll, peer, events);
    }
  }
}

/** If more connections wait, the next wait reports the socket again. */
function welcomeOne(epoll: Epoll, acceptor: Acceptor): void {
  const accepted = acceptor.accept();
  if (accepted !== null) add(epoll, new Peer(...accepted), EPOLLIN);
}

/** If more connections wait, no wait reports them: only a new one is an edge. */
function welcomeAll(epoll: Epoll, acceptor: Acceptor): void {
  for (;;) {
    const accepted = acceptor.accept();
    if (accepted === null) return;
    add(epoll, new Peer(...accepted), EDGES);
  }
}

function add(epoll: Epoll, peer: Peer, events: number): void {
  console.log(`Connected by ${peer.address}`);
  peers.set(peer.fd, peer);
  epoll.register(peer, events);
}

function converseByLevel(epoll: Epoll, peer: Peer, events: number): void {
  if (events & (EPOLLIN | HANG_UP)) read(peer);
  if (events & (EPOLLOUT | HANG_UP)) peer.sendMessages();
  const wanted = (peer.wantsRead ? EPOLLIN : 0) |
    (peer.wantsWrite ? EPOLLOUT : 0);
  if (wanted === 0) close(epoll, peer);
  else epoll.modify(peer, wanted);
}

/**
 * An edge is reported once: send until there is no room, read until there is nothing.
 * While a peer sends without end, the others would wait: `modify` has it reported again.
 */
function converseByEdge(epoll: Epoll, peer: Peer): void {
  peer.sendMessages();
  for (let count = 1; peer.wantsRead && read(peer); count++) {
    peer.sendMessages();
    if (count === READS_A_TURN) return epoll.modify(peer, EDGES);
  }
  if (!peer.wantsRead && !peer.wantsWrite) close(epoll, peer);
}

/** Returns whether there was something to read. */
function read(peer: Peer): boolean {
  const data = peer.receive();
  if (data === null) return false;
  const shown = bytesRepr(data);
  console.log(`received "${shown}" from ${peer.address}`);
  peer.put(`Server received ${shown}`);
  return true;
}

function close(epoll: Epoll, peer: Peer): void {
  epoll.unregister(peer);
  peers.delete(peer.fd);
  peer.close();
}

await main(() => {
  const { address, values } = parseCommandLine({ edge: { type: "boolean" } });
  serve(address, values.edge === true);
});
