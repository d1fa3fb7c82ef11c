/** A client that sends more than it reads. */

import { Socket, WOULD_BLOCK } from "../../mod.ts";
import { bytesOf, nextTurn } from "../util.ts";

/** More than the system's buffers on the way take: a server that takes it, piles it up. */
export const MOST_TAKEN = 16 * 1024 * 1024;

/** A server that has taken nothing for so long reads no more, in milliseconds. */
const STILL = 300;

const PATTERN = "0123456789abcdef";

/** Small segments and small buffers: the system keeps little, and leaves most to the server. */
export function connectNarrowly(port: number): Socket {
  const client = Socket.create();
  client.setOption("maximumSegmentSize", 536);
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

/** The first bytes of what `sendUntilStopped` sends. */
export function messageOf(length: number): string {
  return PATTERN.repeat(Math.ceil(length / PATTERN.length)).slice(0, length);
}

/** Reads to the end, without what the article's servers put around each message. */
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
