/**
 * An echo server on `Deno.listen`, with a buffer of 64 KiB for each connection.
 *
 *     deno run --allow-net bench/peers/deno_listen_echo.ts 8001
 *
 * @module
 */

const BUFFER_BYTES = 64 * 1024;

async function echo(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  connection.setNoDelay();
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      let sent = 0;
      while (sent < count) {
        sent += await connection.write(buffer.subarray(sent, count));
      }
    }
  } catch {
    // The peer is gone.
  }
  connection.close();
}

const port = Number(Deno.args[0] ?? 8001);
for await (const connection of Deno.listen({ hostname: "127.0.0.1", port })) {
  echo(connection);
}
