/**
 * Guests in browsers: the page, and a WebSocket for each guest.
 *
 * @module
 */

import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { WebSocketServer } from "ws";
import { attach } from "../../adapters/node/mod.ts";
import type {
  Acceptor,
  InternetAddress,
  Reactor,
  SocketAddress,
} from "../../mod.ts";
import style from "./page.css" with { type: "text" };
import html from "./page.html" with { type: "text" };
import script from "./page.js" with { type: "text" };
import type { Guest, Room } from "./room.ts";

/** Also those that load the page. Further connections wait in the backlog. */
const MAXIMUM_CONNECTIONS = 200;

/** A WebSocket with more unsent bytes than this is closed, so that no other waits. */
const MAXIMUM_QUEUED = 64 * 1024;

/** In bytes: a line of 500 characters fits. */
const LONGEST_MESSAGE = 4000;

/** How long a page may take to name its guest, in milliseconds. */
const PATIENCE = 10_000;

/** How often WebSockets are asked whether they are alive, in milliseconds. */
const HEARTBEAT = 30_000;

/** "Going away", RFC 6455 section 7.4.1. */
const GOING_AWAY = 1001;
/** "Policy violation". */
const POLICY_VIOLATION = 1008;

const FILES = new Map([
  ["/", { type: "text/html", text: html }],
  ["/page.css", { type: "text/css", text: style }],
  ["/page.js", { type: "text/javascript", text: script }],
]);

const HEADERS = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy":
    "default-src 'none'; connect-src 'self'; img-src data:; script-src 'self'; " +
    "style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
};

/** The members of a WebSocket of `ws` that are used here: the package has no types. */
interface ServerSocket {
  readonly bufferedAmount: number;
  on(event: "message", listener: (data: unknown) => void): void;
  on(event: "close" | "error" | "pong", listener: () => void): void;
  send(text: string): void;
  ping(): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

/** Listens for browsers. */
export function serveBrowsers(
  reactor: Reactor,
  room: Room,
  address: InternetAddress,
): Acceptor<SocketAddress> {
  const server = createServer(servePage);
  const webSockets = new WebSocketServer({
    server,
    path: "/room",
    maxPayload: LONGEST_MESSAGE,
    verifyClient: ({ req }: { req: IncomingMessage }) => isOwnPage(req),
  });
  webSockets.on("connection", (socket: ServerSocket) => {
    welcome(reactor, room, socket);
    keepAlive(reactor, socket);
  });
  const limits = { maximumConnections: MAXIMUM_CONNECTIONS };
  return attach(server, reactor, { ...address, ...limits });
}

function servePage(request: IncomingMessage, response: ServerResponse): void {
  const file = FILES.get(request.url ?? "");
  if (file === undefined) {
    response.writeHead(404, HEADERS).end("Not found\n");
  } else if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { ...HEADERS, Allow: "GET, HEAD" }).end();
  } else {
    const type = { "Content-Type": `${file.type}; charset=utf-8` };
    response.writeHead(200, { ...HEADERS, ...type }).end(file.text);
  }
}

/** Whether no page of another site connects. Programs send no origin. */
function isOwnPage({ headers: { origin, host } }: IncomingMessage): boolean {
  return origin === undefined ||
    URL.parse(origin)?.host === host?.toLowerCase();
}

function welcome(reactor: Reactor, room: Room, socket: ServerSocket): void {
  let name: string | null = null;
  let guest: Guest | null = null;
  const timer = reactor.callLater(PATIENCE, () => socket.terminate());
  socket.on("message", (data) => {
    const message = parse(String(data));
    if (guest !== null && name !== null && "text" in message) {
      room.say(name, String(message.text));
    } else if (name === null && "name" in message) {
      guest = guestOf(socket, String(message.key));
      if (!room.enter(guest, String(message.name))) return socket.close();
      name = String(message.name);
      timer.cancel();
    } else {
      socket.close(POLICY_VIOLATION, "Unexpected message");
    }
  });
  socket.on("close", () => {
    timer.cancel();
    if (guest !== null && name !== null) room.leave(guest, name);
  });
  // Its "close" follows.
  socket.on("error", () => {});
}

function guestOf(socket: ServerSocket, key: string): Guest {
  return {
    key,
    send: (message) => {
      if (socket.bufferedAmount > MAXIMUM_QUEUED) socket.terminate();
      else socket.send(JSON.stringify(message));
    },
    close: () => socket.close(GOING_AWAY),
  };
}

/** The properties of a message: none if it is malformed. */
function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** Ends a connection whose browser does not answer, because its network was lost. */
function keepAlive(reactor: Reactor, socket: ServerSocket): void {
  let isAlive = true;
  socket.on("pong", () => isAlive = true);
  const timer = reactor.callEvery(HEARTBEAT, () => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  });
  socket.on("close", () => timer.cancel());
}
