/**
 * A server process: "Hello, world" by `node:http`, on Deno's sockets or on a reactor, or
 * by `Deno.serve`. It prints its port.
 *
 *     deno run -A bench/http/server.ts node|reactor|serve
 *
 * @module
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { attach } from "../../adapters/node/mod.ts";
import { Reactor } from "../../mod.ts";

const HOSTNAME = "127.0.0.1";
const BODY = "Hello, world";
const HEADERS = { "Content-Type": "text/plain" };

function serveNode(onReactor: boolean): void {
  const server = createServer((_request, response) => {
    response.writeHead(200, HEADERS);
    response.end(BODY);
  });
  server.on("listening", () => {
    console.log((server.address() as AddressInfo).port);
  });
  if (!onReactor) return void server.listen(0, HOSTNAME);
  const reactor = new Reactor();
  reactor.serve();
  attach(server, reactor, { hostname: HOSTNAME, port: 0 });
}

if (import.meta.main) {
  const [kind] = Deno.args;
  if (kind !== "serve") serveNode(kind === "reactor");
  else {
    Deno.serve({
      hostname: HOSTNAME,
      port: 0,
      onListen: ({ port }) => console.log(port),
    }, () => new Response(BODY, { headers: HEADERS }));
  }
}
