/**
 * An echo server on `Bun.listen`. Bytes that `write` does not take are kept, and until
 * they are sent the connection is not read.
 *
 *     bun bench/peers/bun_echo.mjs 8001
 *
 * @module
 */

Bun.listen({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 8001),
  socket: {
    data: (socket, data) => {
      const sent = socket.write(data);
      if (sent < data.length) {
        socket.data = Buffer.from(data.subarray(Math.max(sent, 0)));
        socket.pause();
      }
    },
    drain: (socket) => {
      const rest = socket.data;
      if (rest === undefined) return;
      const sent = socket.write(rest);
      socket.data = sent < rest.length
        ? rest.subarray(Math.max(sent, 0))
        : undefined;
      if (socket.data === undefined) socket.resume();
    },
    error: (socket) => {
      socket.end();
    },
  },
});
