/**
 * The load of a WebSocket server that echoes: each connection sends a message, and the
 * next one when the first has come back.
 *
 * @module
 */

import { type Connection, Reactor } from "../../mod.ts";
import type { Requests } from "../wrk.ts";

const MESSAGE_BYTES = 64;

/** The frame of an answer: two bytes, and the message (RFC 6455, section 5.2). */
const ANSWER_BYTES = 2 + MESSAGE_BYTES;

/** A final frame of binary data, with a length, a mask of zeros, and the message. */
const FRAME = new Uint8Array([
  ...[0x82, 0x80 | MESSAGE_BYTES, 0, 0, 0, 0],
  ...new Uint8Array(MESSAGE_BYTES).fill(0x2a),
]);

const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");

/** Connects, sends messages for some seconds, and closes the connections. */
export async function runSockets(
  port: number,
  connections: number,
  seconds: number,
): Promise<Requests> {
  await using reactor = new Reactor();
  reactor.serve();
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => connect(reactor, port)),
  );
  const start = performance.now();
  const end = start + seconds * 1000;
  const counts = await Promise.all(sockets.map((socket) => echo(socket, end)));
  return {
    count: counts.reduce((sum, count) => sum + count),
    seconds: (performance.now() - start) / 1000,
  };
}

/** Resolves when the server has answered the handshake. */
function connect(reactor: Reactor, port: number): Promise<Connection> {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  const options = { hostname: "127.0.0.1", port, reuseBuffer: true };
  const socket = reactor.connect(options);
  const decoder = new TextDecoder();
  let head = "";
  socket.onData = (chunk) => {
    head += decoder.decode(chunk);
    if (!head.endsWith("\r\n\r\n")) return;
    if (head.startsWith("HTTP/1.1 101 ")) resolve(socket);
    else reject(new Error(head));
  };
  socket.onClose = (error) => reject(error ?? new Error("closed"));
  socket.write(HANDSHAKE);
  return promise;
}

/** Sends messages up to a time, and returns how many have come back. */
function echo(socket: Connection, end: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let missing = ANSWER_BYTES;
  let count = 0;
  socket.onData = (chunk) => {
    if ((missing -= chunk.length) > 0) return;
    count++;
    missing = ANSWER_BYTES;
    if (performance.now() < end) socket.write(FRAME);
    else resolve(count);
  };
  socket.onClose = (error) => reject(error ?? new Error("closed"));
  socket.write(FRAME);
  return promise;
}
