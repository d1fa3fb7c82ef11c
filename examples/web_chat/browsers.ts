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
import type { Room } from "./room.ts";
import { type ServerSocket, serveSocket } from "./web_guest.ts";

/** Also those that load the page. Further connections wait in the backlog. */
const MAXIMUM_CONNECTIONS = 200;

/** In bytes: a line of 500 characters fits. */
const LONGEST_MESSAGE = 4000;

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

/** Listens for browsers. */
export function serveBrowsers(
  reactor: Reactor,
  room: Room,
  options: InternetAddress & { readonly reusePort?: boolean },
): Acceptor<SocketAddress> {
  const server = createServer(servePage);
  const webSockets = new WebSocketServer({
    server,
    path: "/room",
    maxPayload: LONGEST_MESSAGE,
    verifyClient: ({ req }: { req: IncomingMessage }) => isOwnPage(req),
  });
  webSockets.on("connection", (socket: ServerSocket) => {
    serveSocket(reactor, room, socket);
  });
  const limits = { maximumConnections: MAXIMUM_CONNECTIONS };
  return attach(server, reactor, { ...options, ...limits });
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
