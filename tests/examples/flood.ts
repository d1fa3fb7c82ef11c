/** A client that sends and does not read. */

import { Socket, WOULD_BLOCK } from "../../mod.ts";
import { anyFile, bytesOf, nextTurn, wine } from "../util.ts";

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

/**
 * Ends the sending, and reads to end of file, without the words that the servers add to
 * each message.
 *
 * Wine loses the rest of a short send when a server closes after it. There the sending
 * ends when everything was received.
 *
 * @param length How many bytes have been sent
 */
export async function receiveMessages(
  client: Socket,
  length: number,
): Promise<string> {
  const texts: string[] = [];
  const replies = (): string =>
    texts.join("").replaceAll(/Server received b'(\w+)'/g, "$1");
  const total = (): number => texts.reduce((sum, text) => sum + text.length, 0);
  if (wine) {
    const isWhole = () => total() >= length && replies().length >= length;
    await receive(client, texts, isWhole);
  }
  client.shutdown("write");
  await receive(client, texts, () => false);
  return replies();
}

/** Receives to end of file, or until nothing is there and a condition holds. */
async function receive(
  client: Socket,
  texts: string[],
  isOver: () => boolean,
): Promise<void> {
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = client.recv(buffer);
    if (count === 0) return;
    if (count !== WOULD_BLOCK) {
      texts.push(new TextDecoder().decode(buffer.subarray(0, count)));
    } else if (isOver()) return;
    else await nextTurn();
  }
}
