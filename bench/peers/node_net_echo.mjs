/**
 * An echo server on `node:net`, for Node.js and for Deno.
 *
 *     node bench/peers/node_net_echo.mjs 8001
 *
 * @module
 */

import { createServer } from "node:net";
import process from "node:process";

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (data) => {
    if (!socket.write(data)) socket.pause();
  });
  socket.on("drain", () => socket.resume());
  socket.on("error", () => socket.destroy());
});
server.listen({
  host: "127.0.0.1",
  port: Number(process.argv[2] ?? 8001),
  backlog: 4096,
});
