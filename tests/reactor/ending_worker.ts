/**
 * A thread with a server in `serve()`, which closes it after a message, as in
 * `docs/reactor.md`.
 */
/// <reference lib="deno.worker" />

import { Reactor } from "../../reactor/mod.ts";

const reactor = new Reactor();
const server = reactor.listen(
  { hostname: "127.0.0.1", port: 0 },
  (peer) => peer.onData = (chunk) => peer.write(chunk),
);
const served = reactor.serve();
self.onmessage = async () => {
  reactor.close();
  await served;
  self.postMessage("closed");
  self.close();
};
self.postMessage(server.address);
