/**
 * A server on `Bun.listen` that sends data of one connection to all others.
 *
 *     bun bench/peers/bun_fan_out.mjs 8001
 *
 * @module
 */

const sockets = new Set();

Bun.listen({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 8001),
  socket: {
    open: (socket) => {
      sockets.add(socket);
    },
    data: (socket, data) => {
      for (const other of sockets) if (other !== socket) other.write(data);
    },
    close: (socket) => {
      sockets.delete(socket);
    },
    error: (socket) => {
      socket.end();
    },
  },
});
