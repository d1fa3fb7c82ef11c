/**
 * A UDP echo server on the reactor.
 *
 *     deno run --allow-ffi bench/peers/pollux_datagram.ts run 8001 [reuseBuffer] [offload]
 *
 * @module
 */

import { Reactor } from "../../mod.ts";

const [mode = "run", port = "8001", ...options] = Deno.args;
const reactor = new Reactor();
const socket = reactor.datagram({
  hostname: "127.0.0.1",
  port: Number(port),
  reuseBuffer: options.includes("reuseBuffer"),
  ...(options.includes("offload") ? { offload: true } : {}),
});
socket.socket.setOption("receiveBufferSize", 4 * 1024 * 1024);
if (options.includes("offload")) {
  socket.onSegments = (data, size, sender) => {
    socket.sendSegments(data, size, sender);
  };
} else {
  socket.onMessage = (data, sender) => {
    socket.send(data, sender);
  };
}

if (mode === "serve") await reactor.serve();
else reactor.run();
