/**
 * Checks the bytes that a server sends back, since the loads only count them.
 *
 * @module
 */

import { LoadError, PATIENCE } from "./load.ts";

/** Few enough for any backlog. */
const MAXIMUM_CONNECTIONS = 50;

/** The maximum of one `getRandomValues()`. */
const RANDOM_BYTES = 64 * 1024;

/**
 * Sends different bytes on several connections at the same time, and compares the
 * answers.
 *
 * @throws {LoadError} if an answer differs, or is missing
 */
export async function verifyEcho(
  port: number,
  connections: number,
  size: number,
): Promise<void> {
  const count = Math.min(connections, MAXIMUM_CONNECTIONS);
  await Promise.all(Array.from({ length: count }, () => verify(port, size)));
}

async function verify(port: number, size: number): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  // Closing the connection rejects both promises.
  const timer = setTimeout(() => connection.close(), PATIENCE);
  const sent = randomBytes(size);
  const [received, written] = await Promise.allSettled([
    receive(connection, size),
    send(connection, sent),
  ]);
  clearTimeout(timer);
  if (received.status === "rejected" || written.status === "rejected") {
    throw new LoadError("the server has not sent back all bytes");
  }
  connection.close();
  if (received.value.some((byte, index) => byte !== sent[index])) {
    throw new LoadError("the server has sent back other bytes");
  }
}

async function send(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await connection.write(bytes.subarray(sent));
  }
}

async function receive(
  connection: Deno.Conn,
  size: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let received = 0; received < size;) {
    const count = await connection.read(bytes.subarray(received));
    if (count === null) {
      throw new LoadError("the server has closed a connection");
    }
    received += count;
  }
  return bytes;
}

function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += RANDOM_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES));
  }
  return bytes;
}
