/**
 * Serves the inspector's page, on the reactor of the program that it shows.
 *
 * @module
 */

import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { attach } from "../../adapters/node/mod.ts";
import { formatAddress, type Reactor } from "../../mod.ts";
import { History } from "./history.ts";
import { LiveEvents } from "./live_events.ts";
import { HEADERS, isLocal, refuse, sendFile } from "./pages.ts";
import { sendRows } from "./rows.ts";

/** The page is for this machine. */
const HOST = "127.0.0.1";

/** A browser needs six. Further connections wait in the backlog. */
const MAXIMUM_CONNECTIONS = 20;

/**
 * Listens for browsers of this machine, and prints the address of the page. It ends with
 * the reactor, which has to be served: the page is an answer of node:http.
 */
export async function serveInspector(
  reactor: Reactor,
  port: number,
): Promise<void> {
  const history = await History.begin(reactor);
  const events = new LiveEvents(history);
  const server = createServer((request, response) => {
    answer(reactor, events, request, response);
  });
  const limits = { maximumConnections: MAXIMUM_CONNECTIONS };
  const options = { hostname: HOST, port, ...limits };
  const acceptor = attach(server, reactor, options);
  const { onClose } = acceptor;
  acceptor.onClose = (error) => {
    // An open page does not hold up the end of the program.
    events.close();
    onClose?.(error);
  };
  console.log(`Inspector: http://${formatAddress(acceptor.address)}`);
}

function answer(
  reactor: Reactor,
  events: LiveEvents,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeaders(new Headers(HEADERS));
  if (!isLocal(request)) {
    return refuse(response, 403, "This page is for this machine alone");
  }
  if (request.method !== "GET") {
    response.setHeader("Allow", "GET");
    return refuse(response, 405, "Not allowed");
  }
  const path = request.url ?? "";
  if (path === "/events") return events.serve(request, response);
  if (path !== "/rows") return sendFile(path, response);
  sendRows(reactor, response).catch((error) => response.destroy(error));
}
