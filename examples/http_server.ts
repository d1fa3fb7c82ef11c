// An application of Hono on a TCP port, and its status by node:http on a Unix socket, in
// one thread and on one reactor.
//
//     deno run --allow-ffi --allow-read --allow-env examples/http_server.ts
//
// Then, in another terminal:
//
//     curl http://127.0.0.1:8001/hello/you
//     curl --unix-socket /tmp/http_server http://localhost/
//
// Ctrl-C ends it, after the answers under way.

import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { attach } from "../adapters/node/mod.ts";
import { Reactor } from "../mod.ts";
import { main, onInterrupt, parseCommandLine, report } from "./command_line.ts";
import { INSPECT, inspect } from "./inspector/option.ts";

const PATH = "/tmp/http_server";

/** How many requests the application has answered. */
let answered = 0;

const application = new Hono();
application.use(async (_context, next) => {
  await next();
  answered++;
});
application.get("/", (context) => context.text("hello\n"));
application.get(
  "/hello/:name",
  (context) => context.text(`hello, ${context.req.param("name")}\n`),
);
application.post("/echo", async (context) => {
  return context.body(await context.req.arrayBuffer());
});

if (import.meta.main) {
  await main(async () => {
    const { address, values } = parseCommandLine({
      path: { type: "string", default: PATH },
      ...INSPECT,
    });
    const path = String(values.path);
    await using reactor = new Reactor({ onError: report });
    const served = reactor.serve();
    await inspect(reactor, values);

    const pages = createServer(getRequestListener(application.fetch));
    const status = createServer((_request, response) => {
      const { turns, events } = reactor.stats();
      response.end(JSON.stringify({ answered, turns, events }) + "\n");
    });
    attach(pages, reactor, address);
    attach(status, reactor, { path });
    const { port } = pages.address() as AddressInfo;
    console.log(`Status at: ${path}`);
    console.log(`Server start at: ${address.hostname}:${port}`);

    onInterrupt(async () => {
      const servers = [pages, status];
      const ends = servers.map((server) => once(server, "close"));
      for (const server of servers) server.close();
      await Promise.all(ends);
      reactor.stop();
    });
    await served;
    Deno.exit();
  });
}
