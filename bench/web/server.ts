/**
 * A server of HTTPS, or of WebSocket, on Deno's sockets by Node's classes, on a reactor,
 * or as Deno has it.
 *
 *     deno run -A bench/web/server.ts https|websocket node|reactor|deno PORT [CERT KEY]
 *
 * @module
 */

import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Server } from "node:net";
import { WebSocketServer } from "ws";
import { attach } from "../../adapters/node/mod.ts";
import { Reactor } from "../../mod.ts";

const BODY = "Hello, world";
const HEADERS = { "Content-Type": "text/plain" };

const [kind, network, portText, certFile = "", keyFile = ""] = Deno.args;
const address = { hostname: "127.0.0.1", port: Number(portText) };
/** Quietly. */
const onListen = (): void => {};

function listen(server: Server): void {
  if (network === "node") {
    server.listen(address.port, address.hostname);
  } else {
    const reactor = new Reactor();
    reactor.serve();
    attach(server, reactor, address);
  }
}

function serveHttps(): void {
  const cert = Deno.readTextFileSync(certFile);
  const key = Deno.readTextFileSync(keyFile);
  if (network === "deno") {
    const answer = (): Response => new Response(BODY, { headers: HEADERS });
    Deno.serve({ ...address, cert, key, onListen }, answer);
  } else {
    listen(createSecureServer({ cert, key }, (_request, response) => {
      response.writeHead(200, HEADERS);
      response.end(BODY);
    }));
  }
}

function serveWebSocket(): void {
  if (network === "deno") {
    Deno.serve({ ...address, onListen }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => socket.send(data);
      return response;
    });
  } else {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket: EchoSocket) => {
      socket.on("message", (data, binary) => socket.send(data, { binary }));
    });
    listen(server);
  }
}

/** The members of a WebSocket of `ws` that are used here: the package has no types. */
interface EchoSocket {
  on(
    event: "message",
    listener: (data: unknown, binary: boolean) => void,
  ): void;
  send(data: unknown, options: { readonly binary: boolean }): void;
}

if (import.meta.main) {
  if (kind === "https") serveHttps();
  else serveWebSocket();
}
