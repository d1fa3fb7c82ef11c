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
// `--path` is that of the Unix socket. With `--status-port` the status has a port instead,
// which is the default on Windows: 8002. Ctrl-C ends it, after the answers under way: for
// two seconds, since a client may never send the rest of its request.

import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { createServer } from "node:http";
import { attach } from "../adapters/node/mod.ts";
import { formatAddress, Reactor, type SocketAddress } from "../mod.ts";
import {
  type CommandLine,
  main,
  onInterrupt,
  orRefuse,
  parseCommandLine,
  parsePort,
  report,
} from "./command_line.ts";
import { INSPECT, inspect } from "./inspector/option.ts";

/** Where the status is, by default: Windows has no such folder. */
const STATUS = Deno.build.os === "windows"
  ? { "status-port": { type: "string", default: "8002" } } as const
  : { "status-port": { type: "string" } } as const;
const PATH = "/tmp/http_server";

/** How long answers may take after Ctrl-C, in milliseconds. */
const GRACE = 2000;

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

application.onError((error, context) => {
  // A client that leaves in the middle of its request is no failure of the server.
  if (!("code" in error) || error.code !== "ECONNRESET") report(error);
  return context.text("Internal Server Error\n", 500);
});

/** The address of the status, by the options. */
function statusAddress({ address, values }: CommandLine): SocketAddress {
  const { path, "status-port": port } = values;
  if (path !== undefined || port === undefined) {
    return { path: String(path ?? PATH) };
  }
  return { ...address, port: orRefuse(() => parsePort(String(port))) };
}

if (import.meta.main) {
  await main(async () => {
    const line = parseCommandLine({
      path: { type: "string" },
      ...STATUS,
      ...INSPECT,
    });
    const { address, values } = line;
    await using reactor = new Reactor({ onError: report });
    const served = reactor.serve();
    await inspect(reactor, values);

    const pages = createServer(getRequestListener(application.fetch));
    const status = createServer((_request, response) => {
      const { turns, events } = reactor.stats();
      response.end(JSON.stringify({ answered, turns, events }) + "\n");
    });
    const server = attach(pages, reactor, address);
    const statusServer = attach(status, reactor, statusAddress(line));
    console.log(`Status at: ${formatAddress(statusServer.address)}`);
    console.log(`Server start at: ${formatAddress(server.address)}`);

    // Without a limit, also a client that has sent nothing yet would be waited for.
    onInterrupt(() => reactor.shutdown({ timeout: GRACE }));
    await served;
    Deno.exit();
  });
}
