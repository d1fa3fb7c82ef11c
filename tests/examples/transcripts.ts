/**
 * What the article's programs print, to the character, with A and B in the place
 * of the ports of the client's two sockets.
 */

import { assertEquals, assertNotEquals } from "@std/assert";

/** The replies are in double quotes, since they have single ones inside. */
const CLIENT = `\
('127.0.0.1', A): sending b'This is '
('127.0.0.1', B): sending b'This is '
('127.0.0.1', A): received b"Server received b'This is '"
('127.0.0.1', B): received b"Server received b'This is '"
('127.0.0.1', A): sending b'the message. '
('127.0.0.1', B): sending b'the message. '
('127.0.0.1', A): received b"Server received b'the message. '"
('127.0.0.1', B): received b"Server received b'the message. '"
('127.0.0.1', A): sending b'It will be sent '
('127.0.0.1', B): sending b'It will be sent '
('127.0.0.1', A): received b"Server received b'It will be sent '"
('127.0.0.1', B): received b"Server received b'It will be sent '"
('127.0.0.1', A): sending b'in parts.'
('127.0.0.1', B): sending b'in parts.'
('127.0.0.1', A): received b"Server received b'in parts.'"
('127.0.0.1', B): received b"Server received b'in parts.'"`;

/** Of one socket: which of the two is served first is anybody's guess. */
const SERVER = `\
Connected by ('127.0.0.1', A)
received "b'This is '" from ('127.0.0.1', A)
received "b'the message. '" from ('127.0.0.1', A)
received "b'It will be sent '" from ('127.0.0.1', A)
received "b'in parts.'" from ('127.0.0.1', A)`;

/** Both sides of one conversation. */
export interface Conversation {
  /** Where the server was reached. */
  readonly host: string;
  readonly port: number;
  /** What each of them has printed. */
  readonly client: readonly string[];
  readonly server: readonly string[];
}

/** Asserts that both sides have printed what the article shows, and speak of the same sockets. */
export function assertConversation(
  { host, port, client, server }: Conversation,
): void {
  const [start, ...said] = client;
  assertEquals(start, `connecting to ${host} port ${port}`);
  const [a, b] = said.map(portOf);
  assertNotEquals(a, b);
  assertEquals(said, linesOf(CLIENT, host, a!, b!));

  const shown = host.includes(":") ? `[${host}]` : host;
  const [first, ...heard] = server;
  assertEquals(first, `Server start at: ${shown}:${port}`);
  const each = [a, b].map((port) =>
    heard.filter((line) => portOf(line) === port)
  );
  assertEquals(each, [
    linesOf(SERVER, host, a!, a!),
    linesOf(SERVER, host, b!, b!),
  ]);
}

/** The port in the address that a line has in Python's notation. */
function portOf(line: string): string {
  return /', (\d+)[,)]/.exec(line)?.[1] ?? `no address in "${line}"`;
}

function linesOf(text: string, host: string, a: string, b: string): string[] {
  const rest = host.includes(":") ? ", 0, 0)" : ")";
  return text
    .replaceAll("127.0.0.1", host)
    .replaceAll("A)", a + rest)
    .replaceAll("B)", b + rest)
    .split("\n");
}

/** How many lines a server prints in one conversation, after its first. */
export const SERVER_LINES = 2 * SERVER.split("\n").length;
