// The article's server with a selector: the best readiness call of the system, and
// a queue of messages for each peer in the key's data.
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
import { accept, listen, type Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** The peer whose socket it is; the server's own socket has none. */
type Data = Peer | null;

function serve(address: InternetAddress): void {
  using server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  using selector = new DefaultSelector<Data>();
  selector.register(server, EVENT_READ, null);

  for (;;) {
    for (const [key, mask] of selector.select()) {
      if (key.data === null) welcome(selector, server);
      else converse(selector, key.data, mask);
    }
  }
}

function welcome(selector: Selector<Data>, server: Socket): void {
  const peer = accept(server);
  if (peer === null) return;
  console.log(`Connected by ${peer.address}`);
  selector.register(peer, EVENT_READ, peer);
}

function converse(selector: Selector<Data>, peer: Peer, mask: number): void {
  if (mask & EVENT_READ) read(peer);
  if (mask & EVENT_WRITE) peer.sendMessages();
  update(selector, peer);
}

function read(peer: Peer): void {
  const data = peer.receive();
  if (data === null) return;
  console.log(`received "${bytesRepr(data)}" from ${peer.address}`);
  peer.put(`Server received ${bytesRepr(data)}`);
}

/** Decides what to wait for next. */
function update(selector: Selector<Data>, peer: Peer): void {
  // The article waits for EVENT_WRITE when there is nothing to send, and burns a core.
  const events = (peer.ended ? 0 : EVENT_READ) |
    (peer.hasMessages ? EVENT_WRITE : 0);
  if (events === 0) close(selector, peer);
  else selector.modify(peer, events, peer);
}

/** The article never notices that a peer is gone; here it is closed when it has its replies. */
function close(selector: Selector<Data>, peer: Peer): void {
  selector.unregister(peer);
  peer.close();
}

await main(() => serve(parseCommandLine().address));
