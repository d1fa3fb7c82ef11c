/**
 * An echo server on the API of `Deno.listen`. The same program runs on `Deno` and on
 * `reactor.net`.
 *
 * @module
 */

/** The part of a network that the program needs. */
export interface Network {
  /** Listens like `Deno.listen`. */
  listen(
    options: { hostname: string; port: number },
  ): AsyncIterable<Deno.TcpConn>;
}

const BUFFER_BYTES = 64 * 1024;

/** Two ways to send data back, by their names on the command line. */
const ways = { loop, pipe };

/** Reads and writes in turn, with a buffer for each connection. */
async function loop(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
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
    // The peer has closed.
  }
  connection.close();
}

/** Pipes one stream into the other. */
async function pipe(connection: Deno.TcpConn): Promise<void> {
  try {
    await connection.readable.pipeTo(connection.writable);
  } catch {
    // The peer has closed, and the streams have closed the connection.
  }
}

/** Serves according to the arguments PORT and loop or pipe. */
export async function serve({ listen }: Network): Promise<void> {
  const port = Number(Deno.args[0] ?? 8001);
  const echo = ways[(Deno.args[1] ?? "loop") as keyof typeof ways];
  for await (const connection of listen({ hostname: "127.0.0.1", port })) {
    connection.setNoDelay();
    echo(connection);
  }
}
