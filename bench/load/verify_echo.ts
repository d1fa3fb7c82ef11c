/**
 * Looks once at what a server sends back: the loads count bytes, and no more.
 *
 * @module
 */

import { LoadError, PATIENCE } from "./load.ts";

/** Not so many that a backlog overflows. */
const MOST_AT_ONCE = 50;

/** `getRandomValues` gives no more at once. */
const RANDOM_BYTES = 64 * 1024;

/**
 * Sends different bytes on each connection, all at the same time, and compares
 * what comes back.
 *
 * @throws {LoadError} if it is not the same, or does not come
 */
export async function verifyEcho(
  port: number,
  connections: number,
  size: number,
): Promise<void> {
  const count = Math.min(connections, MOST_AT_ONCE);
  await Promise.all(Array.from({ length: count }, () => verify(port, size)));
}

async function verify(port: number, size: number): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  // Closed, it fails whatever waits for it.
  const timer = setTimeout(() => connection.close(), PATIENCE);
  const sent = randomBytes(size);
  const [received, written] = await Promise.allSettled([
    receive(connection, size),
    send(connection, sent),
  ]);
  clearTimeout(timer);
  if (received.status === "rejected" || written.status === "rejected") {
    throw new LoadError("the server does not send back all that it got");
  }
  connection.close();
  if (received.value.some((byte, index) => byte !== sent[index])) {
    throw new LoadError("the server sends back other bytes than it got");
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
    if (count === null) throw new LoadError("the server hung up");
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
