/**
 * Guests at terminals: lines of text over TCP.
 *
 * @module
 */

import type {
  Acceptor,
  Connection,
  InternetAddress,
  Reactor,
} from "../../mod.ts";
import type { Guest, Message, Room } from "./room.ts";

const MAXIMUM_CONNECTIONS = 100;

/** A connection with more unread bytes than this is aborted, so that no other waits. */
const MAXIMUM_QUEUED = 64 * 1024;

/** More bytes than any line has. */
const LONGEST_LINE = 4000;

/** How long a terminal may take to name its guest, in milliseconds. */
const PATIENCE = 60_000;

const QUESTION = "What is your name?";

/** Listens for terminals. */
export function serveTerminals(
  reactor: Reactor,
  room: Room,
  address: InternetAddress,
): Acceptor<InternetAddress> {
  const limits = {
    maximumConnections: MAXIMUM_CONNECTIONS,
    maximumQueued: MAXIMUM_QUEUED,
    idleTimeout: PATIENCE,
  };
  return reactor.listen(
    { ...address, ...limits },
    (connection) => welcome(room, connection),
  );
}

function welcome(room: Room, connection: Connection): void {
  let name: string | null = null;
  const guest: Guest = {
    key: null,
    send: (message) => {
      // The terminal shows its own lines already.
      if (message.kind === "said" && message.name === name) return;
      connection.write(`${textOf(message)}\n`);
    },
    close: () => connection.end("The server has ended the chat.\n"),
  };
  connection.setKeepAlive(true);
  connection.write(`${QUESTION}\n`);
  onLines(connection, (line) => {
    if (name !== null) return room.say(name, line);
    if (!room.enter(guest, line.trim())) return;
    name = line.trim();
    connection.setIdleTimeout(0);
  });
  connection.onClose = () => {
    if (name !== null) room.leave(guest, name);
  };
}

function textOf(message: Message): string {
  switch (message.kind) {
    case "welcome": {
      const others = message.others.join(", ") || "no other guest";
      return `Welcome, ${message.name}. You are with ${others}.`;
    }
    case "refused":
      return `${message.reason} ${QUESTION}`;
    case "said":
      return `${message.name}: ${message.text}`;
    default:
      return `${message.name} has ${message.kind}`;
  }
}

/** Calls back with each line, and with the rest at the end. */
function onLines(
  connection: Connection,
  callback: (line: string) => void,
): void {
  const decoder = new TextDecoder();
  let rest = "";
  connection.onData = (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    // A line without an end must not fill the memory.
    rest = lines.pop()!.slice(0, LONGEST_LINE);
    lines.forEach(callback);
  };
  connection.onEnd = () => {
    if (rest !== "") callback(rest);
    connection.end();
  };
}
