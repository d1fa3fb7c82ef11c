/**
 * A UDP echo server on `Bun.udpSocket`.
 *
 *     bun bench/peers/bun_datagram.mjs 8001
 *
 * @module
 */

await Bun.udpSocket({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 8001),
  socket: {
    data: (socket, data, port, address) => {
      socket.send(data, port, address);
    },
  },
});
