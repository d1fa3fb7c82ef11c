// The article's server with select: the lists of sockets are handed over at every
// call, and what comes back are those that are ready.
//
//     deno run --allow-ffi examples/select_server.ts
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts

import { formatAddress, type InternetAddress, select } from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { accept, listen, Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** The first descriptor that select has no bit for. */
const FD_SETSIZE = 1024;

const peers = new Set<Peer>();

function serve(address: InternetAddress): void {
  using server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);

  for (;;) {
    const inputs = [...peers].filter((peer) => !peer.ended);
    // The article also asks who could be written to with nothing to write, and burns a core.
    const outputs = [...peers].filter((peer) => peer.hasMessages);
    const [readable, writable] = select([server, ...inputs], outputs, []);
    for (const ready of readable) {
      if (ready instanceof Peer) read(ready);
      else add(accept(ready));
    }
    for (const peer of writable) peer.sendMessages();
    closeEnded();
  }
}

function add(peer: Peer | null): void {
  if (peer === null) return;
  // The article's server ends with an error when it has too many clients.
  if (peer.fd >= FD_SETSIZE) return peer.close();
  console.log(`Connected by ${peer.address}`);
  peers.add(peer);
}

function read(peer: Peer): void {
  const data = peer.receive();
  if (data === null) return;
  console.log(`received "${bytesRepr(data)}" from ${peer.address}`);
  peer.put(`Server received ${bytesRepr(data)}`);
}

/** A peer that ended is closed when it has its replies. */
function closeEnded(): void {
  for (const peer of peers) {
    if (!peer.ended || peer.hasMessages) continue;
    peers.delete(peer);
    peer.close();
  }
}

await main(() => serve(parseCommandLine().address));
