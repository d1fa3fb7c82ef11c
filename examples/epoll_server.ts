// The article's server with epoll, which keeps the registrations in the kernel. It
// reports what is there (level-triggered) or, with --edge, what is new.
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
  formatAddress,
  type InternetAddress,
  type Socket,
} from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { accept, listen, type Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** A hang-up or an error is found out by the call that follows. */
const READABLE = EPOLLIN | EPOLLHUP | EPOLLERR;
const WRITABLE = EPOLLOUT | EPOLLHUP | EPOLLERR;

/** Whose number is whose. */
const peers = new Map<number, Peer>();

function serve(address: InternetAddress, edge: boolean): void {
  using server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  using epoll = new Epoll();
  epoll.register(server, edge ? EPOLLIN | EPOLLET : EPOLLIN);
  const welcome = edge ? welcomeAll : welcomeOne;
  const converse = edge ? converseByEdge : converseByLevel;

  for (;;) {
    for (const [fd, events] of epoll.poll()) {
      const peer = peers.get(fd);
      if (peer === undefined) welcome(epoll, server);
      else converse(epoll, peer, events);
    }
  }
}

/** Whoever else waits is reported again. */
function welcomeOne(epoll: Epoll, server: Socket): void {
  const peer = accept(server);
  if (peer !== null) add(epoll, peer, EPOLLIN);
}

/** Whoever else waits is never reported again. */
function welcomeAll(epoll: Epoll, server: Socket): void {
  let peer: Peer | null;
  while ((peer = accept(server)) !== null) {
    add(epoll, peer, EPOLLIN | EPOLLOUT | EPOLLET);
  }
}

function add(epoll: Epoll, peer: Peer, events: number): void {
  console.log(`Connected by ${peer.address}`);
  peers.set(peer.fd, peer);
  epoll.register(peer, events);
}

function converseByLevel(epoll: Epoll, peer: Peer, events: number): void {
  if (events & READABLE) read(peer);
  if (events & WRITABLE) peer.sendMessages();
  // The article waits for EPOLLOUT when there is nothing to send, and never sleeps again.
  const wanted = (peer.ended ? 0 : EPOLLIN) | (peer.hasMessages ? EPOLLOUT : 0);
  if (wanted === 0) close(epoll, peer);
  else epoll.modify(peer, wanted);
}

/** An edge is reported once: read until there is nothing, send until there is no room. */
function converseByEdge(epoll: Epoll, peer: Peer, events: number): void {
  if (events & READABLE) { while (read(peer)); }
  peer.sendMessages();
  if (peer.ended && !peer.hasMessages) close(epoll, peer);
}

/** Returns whether there was something to read. */
function read(peer: Peer): boolean {
  const data = peer.receive();
  if (data === null) return false;
  console.log(`received "${bytesRepr(data)}" from ${peer.address}`);
  peer.put(`Server received ${bytesRepr(data)}`);
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
