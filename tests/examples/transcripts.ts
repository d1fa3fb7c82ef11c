/** Compares output with the transcripts of the article, which are in `article/`. */

import { assertEquals, assertNotEquals } from "@std/assert";

const CLIENT = read("client.txt");
const SERVER = read("server.txt");

/** The ports of the client's two sockets in the article. */
const [FIRST, SECOND] = ["50442", "50443"];

/** Both sides of one conversation. */
export interface Conversation {
  /** The address of the server. */
  readonly host: string;
  readonly port: number;
  /** The lines that each of them has printed. */
  readonly client: readonly string[];
  readonly server: readonly string[];
}

/** Reads a file of the article. */
export function read(name: string): string {
  return Deno.readTextFileSync(new URL(`article/${name}`, import.meta.url));
}

/** Asserts that both sides have printed the transcripts of the article, addresses aside. */
export function assertConversation(
  { host, port, client, server }: Conversation,
): void {
  const [a, b] = [client[1], client[3]].map((line) => portOf(line ?? ""));
  assertNotEquals(a, b);
  const expected = (text: string): string[] => {
    const shown = host.includes(":") ? `[${host}]` : host;
    const rest = host.includes(":") ? ", 0, 0)" : ")";
    return text.trimEnd()
      .replace("127.0.0.1:8001", `${shown}:${port}`)
      .replace("127.0.0.1 port 8001", `${host} port ${port}`)
      .replaceAll("127.0.0.1'", `${host}'`)
      .replaceAll(`${FIRST})`, a + rest)
      .replaceAll(`${SECOND})`, b + rest)
      .split("\n");
  };
  assertEquals(client, expected(CLIENT));
  assertEquals(connectionsFirst(server), expected(SERVER));
}

/** Puts connections first: the second one and the first message may come in either order. */
function connectionsFirst(lines: readonly string[]): string[] {
  const isFirst = (line: string): boolean => !line.startsWith("received ");
  return [...lines.filter(isFirst), ...lines.filter((it) => !isFirst(it))];
}

/** The port in the address that a line has in Python's notation. */
function portOf(line: string): string {
  return /', (\d+)[,)]/.exec(line)?.[1] ?? `no address in "${line}"`;
}

/** How many lines a server prints in one conversation, after its first. */
export const SERVER_LINES = SERVER.trimEnd().split("\n").length - 1;
