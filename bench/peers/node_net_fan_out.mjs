/**
 * A server on `node:net` that sends data of one connection to all others.
 *
 *     node bench/peers/node_net_fan_out.mjs 8001
 *
 * @module
 */

import { createServer } from "node:net";
import process from "node:process";

const sockets = new Set();

const server = createServer({ noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on("data", (data) => {
    for (const other of sockets) if (other !== socket) other.write(data);
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => sockets.delete(socket));
});
server.listen({
  host: "127.0.0.1",
  port: Number(process.argv[2] ?? 8001),
  backlog: 4096,
});
