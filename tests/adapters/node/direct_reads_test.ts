/** Requests that go to the parser of `node:http` past the stream. */

import { assertEquals, fail } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import http from "node:http";
import { type Duplex, PassThrough } from "node:stream";
import { DirectReads } from "../../../adapters/node/direct_reads.ts";
import { attach } from "../../../adapters/node/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { test } from "../../util.ts";
import { Bridge, closed, onBoth, onBridge, stop } from "./networks.ts";
import { Peer, summaryOf } from "./peer.ts";

const GET = get("/");
const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\n" +
  "Connection: Upgrade\r\nUpgrade: x\r\n\r\n";

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

/** A request with a body. */
function post(body: string): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

onBoth(
  "direct reads: the stream of a socket takes no bytes of requests",
  async (network) => {
    const seen: unknown[] = [];
    const server = http.createServer((request, response) => {
      seen.push(request.socket.readableDidRead);
      response.end("body:1;");
    });
    using peer = await Peer.connect(await network.listen(server));
    for (let i = 0; i < 2; i++) {
      await peer.send(GET);
      await peer.until(/body:1;/);
    }
    await stop(server);
    return seen;
  },
  [false, false],
);

onBoth(
  "direct reads: bodies are kept while other connections receive",
  async (network) => {
    const server = http.createServer((request, response) => {
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        response.end(`body:${new TextDecoder().decode(chunks[0])};`);
      });
    });
    const port = await network.listen(server);
    using slow = await Peer.connect(port);
    using other = await Peer.connect(port);
    await slow.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nslow",
    );
    const answers: string[] = [];
    for (let i = 0; i < 3; i++) {
      await other.send(post(`other${i}`));
      answers.push(...summaryOf(await other.until(/body:other\d;/)));
    }
    await slow.send("-end");
    answers.push(...summaryOf(await slow.until(/body:.*?;/)));
    await stop(server);
    return answers;
  },
);

onBridge(
  "direct reads: another listener gets the bytes, too",
  async (bridge) => {
    const heard: string[] = [];
    const server = http.createServer((request, response) => {
      if (request.url === "/1") {
        request.socket.on("data", (chunk) => heard.push(String(chunk)));
      }
      response.end(`body:${request.url};`);
    });
    using peer = await Peer.connect(await bridge.listen(server));
    const answers: string[] = [];
    for (const path of ["/1", "/2"]) {
      await peer.send(get(path));
      answers.push(...summaryOf(await peer.until(/body:.*?;/)));
    }
    await stop(server);
    return [...answers, ...heard];
  },
  ["HTTP/1.1 200", "body:/1;", "HTTP/1.1 200", "body:/2;", get("/2")],
);

onBridge(
  "direct reads: a listener that was there before the parser stays at an upgrade",
  async (bridge) => {
    const heard: string[] = [];
    const server = http.createServer();
    server.prependListener("connection", (socket) => {
      socket.on("data", (chunk: Uint8Array) => heard.push(String(chunk)));
    });
    server.on("upgrade", (_request, socket: Duplex) => {
      socket.on("data", (chunk) => socket.write(`body:${chunk};`));
      socket.write("body:upgraded;");
    });
    using peer = await Peer.connect(await bridge.listen(server));
    await peer.send(UPGRADE);
    await peer.until(/body:upgraded;/);
    await peer.send("later");
    await peer.until(/body:later;/);
    await stop(server);
    return heard;
  },
  [UPGRADE, "later"],
);

onBridge(
  "direct reads: a listener in place of the parser gets the bytes",
  async (bridge) => {
    const server = http.createServer((request, response) => {
      response.end("body:1;");
      request.socket.removeAllListeners("data");
      request.socket.on(
        "data",
        (chunk) => request.socket.write(`body:${chunk};`),
      );
    });
    using peer = await Peer.connect(await bridge.listen(server));
    await peer.send(GET);
    await peer.until(/body:1;/);
    await peer.send("raw");
    const answer = summaryOf(await peer.until(/body:raw;/));
    await stop(server);
    return answer;
  },
  ["body:raw;"],
);

onBoth(
  "direct reads: a paused socket keeps a request until it is resumed",
  async (network) => {
    const events: string[] = [];
    let paused: Duplex;
    const server = http.createServer((request, response) => {
      events.push(request.url!);
      if (request.url === "/other") paused.resume();
      response.end(`body:${request.url};`, () => {
        if (request.url !== "/1") return;
        paused = request.socket.pause();
        request.socket.write("body:paused;");
      });
    });
    const port = await network.listen(server);
    using peer = await Peer.connect(port);
    using other = await Peer.connect(port);
    await peer.send(get("/1"));
    await peer.until(/body:paused;/);
    await peer.send(get("/2"));
    await other.send(get("/other"));
    await peer.until(/body:.2;/);
    await stop(server);
    return events;
  },
  ["/1", "/other", "/2"],
);

onBridge(
  "direct reads: a malformed second request is reported with its bytes",
  async (bridge) => {
    const errors: unknown[] = [];
    const server = http.createServer((_request, response) => {
      response.end("body:1;");
    });
    server.on("clientError", (error, socket) => {
      const { code, rawPacket, bytesParsed } = error as Error & {
        code: string;
        rawPacket: Uint8Array;
        bytesParsed: number;
      };
      errors.push(code, String(rawPacket), bytesParsed);
      socket.end("HTTP/1.1 400 Bad\r\n\r\n");
    });
    using peer = await Peer.connect(await bridge.listen(server));
    await peer.send(GET);
    await peer.until(/body:1;/);
    await peer.send("GET / HTTX/1.1\r\n\r\n");
    await peer.rest();
    await stop(server);
    return errors;
  },
  ["HPE_INVALID_CONSTANT", "GET / HTTX/1.1\r\n\r\n", 9],
);

test("direct reads: the error of a handler goes to onError, and ends its connection alone", async () => {
  const errors: unknown[] = [];
  await using reactor = new Reactor({ onError: (error) => errors.push(error) });
  reactor.serve();
  const failure = new Error("Handler failed");
  const server = http.createServer((request, response) => {
    if (request.url === "/bad") throw failure;
    response.end("body:1;");
  });
  const address = { hostname: "127.0.0.1", port: 0 };
  const acceptor = attach(server, reactor, address);
  const { port } = acceptor.address as { port: number };
  using bad = await Peer.connect(port);
  using good = await Peer.connect(port);
  for (const peer of [bad, good]) {
    await peer.send(GET);
    await peer.until(/body:1;/);
  }
  await bad.send(get("/bad"));
  assertEquals(summaryOf(await bad.rest()), []);
  await good.send(GET);
  await good.until(/body:1;/);
  assertEquals(errors, [failure]);
});

onBoth(
  "direct reads: an upgrade after a request gets the head and all later bytes",
  async (network) => {
    const server = http.createServer((_request, response) => {
      response.end("body:1;");
    });
    server.on("upgrade", (_request, socket: Duplex, head: Uint8Array) => {
      socket.write(`body:${head};`);
      socket.on("data", (chunk) => socket.write(`body:${chunk};`));
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send(GET);
    await peer.until(/body:1;/);
    await peer.send(`${UPGRADE}head`);
    const answers = [await peer.until(/body:head;/)];
    await peer.send("later");
    answers.push(await peer.until(/body:later;/));
    await stop(server);
    return answers;
  },
);

onBridge(
  "direct reads: a context that a listener enters is not that of other connections",
  async (bridge) => {
    const storage = new AsyncLocalStorage<string>();
    const server = http.createServer((request, response) => {
      request.on("data", (chunk) => {
        response.write(`body:${storage.getStore()};`);
        storage.enterWith(String(chunk));
      });
      request.on("end", () => response.end("body:end;"));
    });
    const port = await bridge.listen(server);
    const answers: string[] = [];
    for (const name of ["a", "b"]) {
      using peer = await Peer.connect(port);
      await peer.send(post(`${name}-`).slice(0, -1));
      answers.push(await peer.until(/body:.*?;/));
      // A body that flows is emitted while it is parsed.
      await peer.send("-");
      answers.push(await peer.until(/body:end;/));
    }
    await stop(server);
    return summaryOf(answers.join("")).filter((line) =>
      line.startsWith("body")
    );
  },
  [
    "body:undefined;",
    "body:undefined;",
    "body:end;",
    "body:undefined;",
    "body:undefined;",
    "body:end;",
  ],
);

onBoth(
  'direct reads: handlers run in the context that a listener for "connection" has entered',
  async (network) => {
    const storage = new AsyncLocalStorage<string>();
    const server = http.createServer((_request, response) => {
      response.end(`body:${storage.getStore()};`);
    });
    server.prependListener("connection", () => storage.enterWith("accepted"));
    using peer = await Peer.connect(await network.listen(server));
    await peer.send(GET);
    const answer = summaryOf(await peer.until(/body:.*?;/));
    await stop(server);
    storage.disable();
    return answer;
  },
  ["HTTP/1.1 200", "body:accepted;"],
);

test("direct reads: a socket without a parser has none", async () => {
  await using bridge = new Bridge();
  const server = http.createServer();
  const port = await bridge.listen(server);
  const socket = bridge.connect({ hostname: "127.0.0.1", port });
  assertEquals(DirectReads.of(socket), null);
  socket.destroy();
  await closed(server);
});

for (
  const [name, native] of Object.entries({
    "without a native parser": undefined,
    "that takes other arguments": { execute: (): never => fail("Refused") },
    "that does not call back": {
      execute: (_callbacks: unknown, { length }: Uint8Array): number => length,
    },
    "that counts in another way": {
      execute: (callbacks: Record<number, () => void>): number => {
        callbacks[4]!();
        return 0;
      },
    },
  })
) {
  test(`direct reads: a parser ${name} is left to the stream`, () => {
    class OtherParser {
      static readonly REQUEST = 1;
      static readonly kOnMessageComplete = 4;
      static readonly kOnExecute = 5;
      readonly _native = native;
    }
    const parser = new OtherParser();
    const socket = Object.assign(new PassThrough(), { parser });
    socket.on("data", () => {});
    assertEquals(DirectReads.of(socket), null);
    socket.destroy();
  });
}
