/**
 * A UDP echo server on `Deno.listenDatagram`.
 *
 *     deno run --allow-net --unstable-net bench/peers/deno_listen_datagram.ts 8001
 *
 * @module
 */

const socket = Deno.listenDatagram({
  transport: "udp",
  hostname: "127.0.0.1",
  port: Number(Deno.args[0] ?? 8001),
});
const buffer = new Uint8Array(64 * 1024);
for (;;) {
  const [data, sender] = await socket.receive(buffer);
  await socket.send(data, sender);
}
