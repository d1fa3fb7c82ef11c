/** A client that sends and does not read. */

import { Socket, WOULD_BLOCK } from "../../mod.ts";
import { anyFile, bytesOf, nextTurn } from "../util.ts";

/** More bytes than the system's buffers hold: a server that takes them queues too much. */
export const MOST_TAKEN = 16 * 1024 * 1024;

/** A server that has taken nothing for so many milliseconds has stopped reading. */
const STILL = 300;

const PATTERN = "0123456789abcdef";

/** Connects with small segments and buffers, so that most bytes are left to the server. */
export function connectNarrowly(port: number): Socket {
  const client = Socket.create();
  // Windows has no such option.
  if (anyFile) client.setOption("maximumSegmentSize", 536);
  client.setOption("receiveBufferSize", 16384);
  client.setBlocking(true);
  client.connect({ hostname: "127.0.0.1", port });
  client.setBlocking(false);
  return client;
}

/** Sends without reading until the server takes no more, and returns how much it took. */
export async function sendUntilStopped(
  client: Socket,
  most: number,
): Promise<number> {
  const data = bytesOf(messageOf(64 * 1024));
  let total = 0;
  let last = performance.now();
  while (total < most && performance.now() - last < STILL) {
    const count = client.send(data.subarray(total % PATTERN.length));
    if (count === WOULD_BLOCK) {
      await nextTurn();
      continue;
    }
    total += count;
    last = performance.now();
  }
  return total;
}

/** The first bytes that `sendUntilStopped` sends. */
export function messageOf(length: number): string {
  return PATTERN.repeat(Math.ceil(length / PATTERN.length)).slice(0, length);
}

/** Reads to end of file, without the words that the servers add to each message. */
export async function receiveMessages(client: Socket): Promise<string> {
  const buffer = new Uint8Array(65536);
  const texts: string[] = [];
  for (;;) {
    const count = client.recv(buffer);
    if (count === 0) break;
    if (count === WOULD_BLOCK) await nextTurn();
    else texts.push(new TextDecoder().decode(buffer.subarray(0, count)));
  }
  return texts.join("").replaceAll(/Server received b'(\w+)'/g, "$1");
}
