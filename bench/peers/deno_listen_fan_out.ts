/**
 * A server on `Deno.listen` that sends data of one connection to all others.
 *
 *     deno run --allow-net bench/peers/deno_listen_fan_out.ts 8001
 *
 * @module
 */

const BUFFER_BYTES = 1024;
const connections = new Set<Deno.TcpConn>();

async function passOn(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  connection.setNoDelay();
  connections.add(connection);
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      await sendToOthers(connection, buffer.subarray(0, count));
    }
  } catch {
    // The peer has closed.
  }
  connections.delete(connection);
  connection.close();
}

async function sendToOthers(
  from: Deno.TcpConn,
  data: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const writes: Promise<number>[] = [];
  for (const connection of connections) {
    if (connection !== from) writes.push(connection.write(data));
  }
  await Promise.allSettled(writes);
}

const port = Number(Deno.args[0] ?? 8001);
for await (const connection of Deno.listen({ hostname: "127.0.0.1", port })) {
  passOn(connection);
}
