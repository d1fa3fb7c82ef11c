/**
 * A UDP echo server on `node:dgram`, for Node.js and for Deno.
 *
 *     node bench/peers/node_net_datagram.mjs 8001
 *
 * @module
 */

import { createSocket } from "node:dgram";
import process from "node:process";

const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
socket.on("message", (data, { address, port }) => {
  socket.send(data, port, address);
});
socket.bind(Number(process.argv[2] ?? 8001), "127.0.0.1");
