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
import { report } from "../command_line.ts";
import { type Guest, MAXIMUM_QUEUED, type Message, type Room } from "./room.ts";

const MAXIMUM_CONNECTIONS = 100;

/** More characters than any line has. */
const LONGEST_LINE = 4000;

/** How long a terminal may take to name its guest, in milliseconds. */
const PATIENCE = 60_000;

const QUESTION = "What is your name?";

/** A name, and after it the number of the last line that the guest has seen. */
const NAME_AND_NUMBER = /^(\S+)\s+(\d{1,15})$/;

/** Listens for terminals. */
export function serveTerminals(
  reactor: Reactor,
  room: Room,
  options: InternetAddress & { readonly reusePort?: boolean },
): Acceptor<InternetAddress> {
  const limits = {
    maximumConnections: MAXIMUM_CONNECTIONS,
    maximumQueued: MAXIMUM_QUEUED,
    idleTimeout: PATIENCE,
  };
  return reactor.listen(
    { ...options, ...limits },
    (connection) => {
      welcome(room, connection).catch(report);
    },
  );
}

async function welcome(room: Room, connection: Connection): Promise<void> {
  let guest: Guest | null = null;
  connection.setKeepAlive(true);
  connection.write(`${QUESTION}\n`);
  try {
    for await (const line of linesOf(connection)) {
      if (guest !== null) {
        await room.say(guest, { text: line });
      } else {
        const candidate = guestOf(connection, line.trim());
        if (!await room.enter(candidate)) continue;
        guest = candidate;
        connection.setIdleTimeout(0);
      }
    }
    connection.end();
  } finally {
    if (guest !== null) room.leave(guest);
  }
}

function guestOf(connection: Connection, entry: string): Guest {
  const [, name = entry, number = null] = NAME_AND_NUMBER.exec(entry) ?? [];
  const isNumbered = number !== null;
  return {
    name,
    key: null,
    after: isNumbered ? Number(number) : null,
    send: (message) => {
      // Only pages number their lines.
      if (message.kind === "stored") return;
      // The terminal shows its own lines already.
      if (message.kind === "said" && message.name === name) return;
      connection.write(`${textOf(message, isNumbered)}\n`);
    },
    close: () => connection.end("The server has ended the chat.\n"),
  };
}

function textOf(
  message: Exclude<Message, { kind: "stored" }>,
  isNumbered: boolean,
): string {
  switch (message.kind) {
    case "welcome": {
      const others = message.others.join(", ") || "no other guest";
      const gap = message.isComplete === false ? " Lines are missing." : "";
      return `Welcome, ${message.name}. You are with ${others}.${gap}`;
    }
    case "refused":
      return `${message.reason} ${QUESTION}`;
    case "said": {
      const { name, text, number } = message;
      return isNumbered ? `${number} ${name}: ${text}` : `${name}: ${text}`;
    }
    default:
      return `${message.name} has ${message.kind}`;
  }
}

/** Each line, and the rest at the end. The next line is read when this one is done. */
async function* linesOf(connection: Connection): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of connection) {
      const text = rest + decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      // A line without an end must not fill the memory.
      rest = lines.pop()!.slice(0, LONGEST_LINE);
      yield* lines;
    }
  } catch {
    // A connection may break at any time, also at a limit or by the end of the server.
    return;
  }
  if (rest !== "") yield rest;
}
