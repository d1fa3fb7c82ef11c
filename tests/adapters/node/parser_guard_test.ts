/** Connections that stay open after a malformed request, or a late one. */

import { assertEquals } from "@std/assert";
import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { test } from "../../util.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { Bridge, inTime, stop } from "./networks.ts";
import { Peer } from "./peer.ts";

/** A server whose listener for "clientError" leaves connections open. */
interface Stage {
  readonly server: http.Server;
  /** The paths of all requests. */
  readonly requests: string[];
  connect(): Promise<Peer>;
}

/** Where the server gets the bytes of requests from. */
interface Way {
  readonly name: string;
  readonly secure?: boolean;
  /** Prepares the server before it listens. */
  readonly prepare?: (server: http.Server) => void;
}

const ways: readonly Way[] = [
  { name: "http" },
  {
    name: "http, with a listener before that of the server",
    prepare: (server): void => {
      server.prependListener("connection", listen);
    },
  },
  {
    name: "http, with a listener behind that of the server",
    prepare: (server): void => {
      server.on("connection", listen);
    },
  },
  { name: "https", secure: true },
  {
    name: "https, with a listener before that of the server",
    secure: true,
    prepare: (server): void => {
      server.prependListener("secureConnection", listen);
    },
  },
];

function listen(socket: Duplex): void {
  socket.on("data", () => {});
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

/** Defines a test of each way. */
function onEachWay(
  title: string,
  body: (stage: Stage) => Promise<void>,
): void {
  for (const way of ways) {
    test(`parser guard: ${title} [${way.name}]`, async () => {
      const directory = await Deno.makeTempDir();
      try {
        await using bridge = new Bridge();
        await inTime(runOn(bridge, way, directory, body), way.name);
      } finally {
        Peer.closeAll();
        await Deno.remove(directory, { recursive: true });
      }
    });
  }
}

async function runOn(
  bridge: Bridge,
  { secure = false, prepare }: Way,
  directory: string,
  body: (stage: Stage) => Promise<void>,
): Promise<void> {
  const requests: string[] = [];
  const application: http.RequestListener = (request, response) => {
    requests.push(request.url!);
    response.end("body:1;");
  };
  // Late requests are looked for all the time.
  const options = { connectionsCheckingInterval: 10 };
  const certificate = secure ? await makeCertificate(directory) : null;
  const server = certificate === null
    ? http.createServer(options, application)
    : https.createServer({ ...certificate, ...options }, application);
  server.on("clientError", (_error, socket) => {
    server.headersTimeout = server.requestTimeout = 0;
    socket.write("body:bad;");
  });
  prepare?.(server);
  const port = await bridge.listen(server);
  const connect = (): Promise<Peer> => connectTo(port, certificate);
  await body({ server, requests, connect });
  await stop(server);
}

function connectTo(
  port: number,
  certificate: Certificate | null,
): Promise<Peer> {
  return certificate === null
    ? Peer.connect(port)
    : Peer.connectTls(port, certificate.cert);
}

/** Lets the parser of one connection go to another, which is in the midst of a request. */
async function passParserOn(
  bad: Peer,
  { connect }: Stage,
): Promise<Peer> {
  await bad.until(/body:bad;/);
  const good = await connect();
  await good.send("GET /good HTTP/1.1\r\nHost: a\r\nX: ");
  return good;
}

/** Lets another connection have an answer: by then, earlier bytes were received. */
async function answerAnother({ connect }: Stage): Promise<void> {
  using other = await connect();
  await other.send(get("/other"));
  await other.until(/body:1;/);
}

onEachWay(
  "bytes after a malformed request are not parsed for another connection",
  async (stage) => {
    using bad = await stage.connect();
    await bad.send("GARBAGE\r\n\r\n");
    using good = await passParserOn(bad, stage);
    await bad.send(`evil\r\n\r\n${get("/smuggled")}`);
    await answerAnother(stage);
    await good.send("1\r\n\r\n");
    await good.until(/body:1;/);
    assertEquals(stage.requests, ["/other", "/good"]);
  },
);

onEachWay(
  "bytes after a malformed second request are not parsed, either",
  async (stage) => {
    using bad = await stage.connect();
    await bad.send(get("/first"));
    await bad.until(/body:1;/);
    await bad.send("GARBAGE\r\n\r\n");
    using good = await passParserOn(bad, stage);
    await bad.send(`evil\r\n\r\n${get("/smuggled")}`);
    await answerAnother(stage);
    await good.send("1\r\n\r\n");
    await good.until(/body:1;/);
    assertEquals(stage.requests, ["/first", "/other", "/good"]);
  },
);

onEachWay(
  "bytes after a late request are not parsed for another connection",
  async (stage) => {
    using bad = await stage.connect();
    stage.server.headersTimeout = stage.server.requestTimeout = 1;
    await bad.send("GET /late HTTP/1.1\r\n");
    using good = await passParserOn(bad, stage);
    await bad.send(`evil\r\n\r\n${get("/smuggled")}`);
    await answerAnother(stage);
    await good.send("1\r\n\r\n");
    await good.until(/body:1;/);
    assertEquals(stage.requests, ["/other", "/good"]);
  },
);

onEachWay(
  "the end of file after a malformed request is not that of another connection",
  async (stage) => {
    using bad = await stage.connect();
    await bad.send("GARBAGE\r\n\r\n");
    using good = await passParserOn(bad, stage);
    await bad.end();
    assertEquals(await bad.rest(), "", "the server ends, too");
    await good.send("1\r\n\r\n");
    await good.until(/body:1;/);
    assertEquals(stage.requests, ["/good"]);
  },
);
