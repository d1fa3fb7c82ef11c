/**
 * An echo server for what listens as Deno does: the same program runs on
 * `Deno` and on `reactor.net`.
 *
 * @module
 */

/** What the program needs of a network. */
export interface Network {
  /** As `Deno.listen`. */
  listen(
    options: { hostname: string; port: number },
  ): AsyncIterable<Deno.TcpConn>;
}

const BUFFER_BYTES = 64 * 1024;

/** The ways of sending back what comes, by the name that the command line knows. */
const ways = { loop, pipe };

/** Reads and writes in turn, with a buffer of its own. */
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
    // The peer is gone.
  }
  connection.close();
}

/** Leaves it to the two streams. */
async function pipe(connection: Deno.TcpConn): Promise<void> {
  try {
    await connection.readable.pipeTo(connection.writable);
  } catch {
    // The peer is gone, and the streams have closed the connection.
  }
}

/** Serves as `deno run … PROGRAM PORT [loop|pipe]` says. */
export async function serve({ listen }: Network): Promise<void> {
  const port = Number(Deno.args[0] ?? 8001);
  const echo = ways[(Deno.args[1] ?? "loop") as keyof typeof ways];
  for await (const connection of listen({ hostname: "127.0.0.1", port })) {
    connection.setNoDelay();
    echo(connection);
  }
}
