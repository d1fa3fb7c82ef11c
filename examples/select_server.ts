// Step 3 of docs/io_multiplexing.md: the server with select. Each call takes three lists
// of sockets, and returns three lists of those that are ready.
//
//     deno run --allow-ffi examples/select_server.ts
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts

import { select } from "../backends/mod.ts";
import { formatAddress, type InternetAddress, type Socket } from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { Acceptor, listen, Peer } from "./peer.ts";
import { bytesRepr } from "./python_notation.ts";

/** The first descriptor without a bit in the sets of select. */
const FD_SETSIZE = 1024;

/** The listening socket, except during a pause of accepting. */
const servers = new Set<Socket>();
const peers = new Set<Peer>();

function serve(address: InternetAddress): void {
  using server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  const acceptor = new Acceptor(
    server,
    () => servers.add(server),
    () => servers.delete(server),
  );

  for (;;) {
    const timeout = acceptor.timeout();
    const inputs = [...peers].filter((peer) => peer.wantsRead);
    const outputs = [...peers].filter((peer) => peer.wantsWrite);
    const [readable, writable, exceptional] = select(
      [...servers, ...inputs],
      outputs,
      inputs,
      timeout,
    );
    for (const ready of readable) {
      if (ready instanceof Peer) read(ready);
      else welcome(acceptor);
    }
    for (const peer of writable) peer.sendMessages();
    // This protocol has no urgent data.
    for (const peer of exceptional) close(peer);
    closeEnded();
  }
}

function welcome(acceptor: Acceptor): void {
  const accepted = acceptor.accept();
  if (accepted === null) return;
  const peer = new Peer(...accepted);
  // One client too many ends the article's server.
  if (peer.fd >= FD_SETSIZE) return peer.close();
  console.log(`Connected by ${peer.address}`);
  peers.add(peer);
}

function read(peer: Peer): void {
  const data = peer.receive();
  if (data === null) return;
  const shown = bytesRepr(data);
  console.log(`received "${shown}" from ${peer.address}`);
  peer.put(`Server received ${shown}`);
}

/** Closes each peer that has sent end of file and received all replies. */
function closeEnded(): void {
  for (const peer of peers) {
    if (!peer.wantsRead && !peer.wantsWrite) close(peer);
  }
}

function close(peer: Peer): void {
  peers.delete(peer);
  peer.close();
}

await main(() => serve(parseCommandLine().address));
