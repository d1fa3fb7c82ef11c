// The article's server with callbacks: the data of a key is the function to call
// when its file object is ready, and the loop knows nothing else.
//
//     deno run --allow-ffi examples/callback_server.ts
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
import { accept as acceptPeer, listen, type Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** What to do when a file object is ready: Python hands it over, here it is known. */
type Callback = () => void;

/** Opens the server's socket, and says where. */
export function start(address: InternetAddress): Socket {
  const server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  return server;
}

/** Serves whoever connects, for ever. */
export function serve(server: Socket): never {
  using selector = new DefaultSelector<Callback>();
  selector.register(server, EVENT_READ, () => accept(selector, server));

  for (;;) {
    for (const [key] of selector.select()) {
      const callback = key.data;
      callback();
    }
  }
}

function accept(selector: Selector<Callback>, server: Socket): void {
  const peer = acceptPeer(server);
  if (peer === null) return;
  console.log(`Connected by ${peer.address}`);
  selector.register(peer, EVENT_READ, () => read(selector, peer));
}

/** Called when there is something to read, or room for what could not be sent at once. */
function read(selector: Selector<Callback>, peer: Peer): void {
  const data = peer.receive();
  if (data !== null) {
    console.log(`received "${bytesRepr(data)}" from ${peer.address}`);
    peer.put(`Server received ${bytesRepr(data)}`);
  }
  peer.sendMessages();
  update(selector, peer);
}

/** Decides what to wait for next. A peer that ended is closed when it has its replies. */
function update(selector: Selector<Callback>, peer: Peer): void {
  const events = (peer.ended ? 0 : EVENT_READ) |
    (peer.hasMessages ? EVENT_WRITE : 0);
  if (events === 0) close(selector, peer);
  else selector.modify(peer, events, selector.getKey(peer).data);
}

function close(selector: Selector<Callback>, peer: Peer): void {
  selector.unregister(peer);
  peer.close();
}

if (import.meta.main) {
  await main(() => serve(start(parseCommandLine().address)));
}
