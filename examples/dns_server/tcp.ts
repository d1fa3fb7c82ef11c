/**
 * DNS over TCP: each message has its length before it, and several queries may come on
 * one connection (RFC 7766).
 *
 * @module
 */

import type { Connection } from "../../mod.ts";
import { uint16 } from "./message.ts";

const LENGTH_BYTES = 2;

/**
 * Answers the queries of a connection, in their order. While its peer does not read,
 * nothing is read from it.
 *
 * @param respond Returns the response to a message, or null for none
 */
export function answerQueries(
  connection: Connection,
  respond: (message: Uint8Array) => Uint8Array<ArrayBuffer> | null,
): void {
  let received: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Returns whether all whole messages are answered, and the peer reads. */
  const answer = (): boolean => {
    let at = 0;
    let isTaken = true;
    while (isTaken) {
      const end = endOfMessage(received, at);
      if (end > received.length) break;
      const response = respond(received.subarray(at + LENGTH_BYTES, end));
      isTaken = response === null || send(connection, response);
      at = end;
    }
    received = received.slice(at);
    return isTaken;
  };
  connection.onData = (chunk) => {
    received = joined(received, chunk);
    if (!answer()) connection.pause();
  };
  connection.onDrain = () => {
    if (answer()) connection.resume();
  };
}

/** The offset behind a message; Infinity if even its length is incomplete. */
function endOfMessage(bytes: Uint8Array, start: number): number {
  const begin = start + LENGTH_BYTES;
  if (begin > bytes.length) return Infinity;
  return begin + uint16(bytes, start);
}

/** One write for both parts: small segments would wait for each other. */
function send(
  connection: Connection,
  response: Uint8Array<ArrayBuffer>,
): boolean {
  const message = new Uint8Array(LENGTH_BYTES + response.length);
  message[0] = response.length >> 8;
  message[1] = response.length;
  message.set(response, LENGTH_BYTES);
  return connection.write(message);
}

function joined(
  first: Uint8Array,
  second: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
