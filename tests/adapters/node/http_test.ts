/** The features of `node:http` on a reactor, compared with the same on Deno's sockets. */

import { assertEquals } from "@std/assert";
import http from "node:http";
import { closed, onBoth } from "./networks.ts";
import { Peer, summaryOf, withoutDate } from "./peer.ts";

onBoth("http: answers a request with the same bytes", async (network) => {
  const server = http.createServer((request, response) => {
    response.setHeader("X-Method", request.method!);
    response.end("hello");
  });
  using peer = await Peer.connect(await network.listen(server));
  await peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const answer = withoutDate(await peer.rest());
  await closed(server);
  return answer;
});

onBoth(
  "http: keeps the connection alive for a hundred requests",
  async (network) => {
    let connections = 0;
    const server = http.createServer((request, response) => {
      response.end(`body:${request.url};`);
    }).on("connection", () => connections++);
    using peer = await Peer.connect(await network.listen(server));
    const answers: string[] = [];
    for (let i = 0; i < 100; i++) {
      await peer.send(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      answers.push(...summaryOf(await peer.until(/body:\/\d+;/)));
    }
    await closed(server);
    assertEquals(connections, 1);
    return answers;
  },
);

onBoth(
  "http: answers pipelined requests in order, also with a slow one between",
  async (network) => {
    const server = http.createServer((request, response) => {
      const answer = (): void => void response.end(`body:${request.url};`);
      if (request.url === "/slow") setTimeout(answer, 20);
      else answer();
    });
    using peer = await Peer.connect(await network.listen(server));
    const request = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    await peer.send(request("/1") + request("/slow") + request("/2"));
    const answers = summaryOf(await peer.until(/body:\/2;/));
    await closed(server);
    return answers;
  },
  [
    "HTTP/1.1 200",
    "body:/1;",
    "HTTP/1.1 200",
    "body:/slow;",
    "HTTP/1.1 200",
    "body:/2;",
  ],
);

onBoth("http: closes after an answer to HTTP/1.0", async (network) => {
  const server = http.createServer((request, response) => {
    response.end(request.httpVersion);
  });
  using peer = await Peer.connect(await network.listen(server));
  await peer.send("GET / HTTP/1.0\r\n\r\n");
  const answer = withoutDate(await peer.rest());
  await closed(server);
  return answer;
});

onBoth("http: keeps HTTP/1.0 alive when it is asked for", async (network) => {
  const server = http.createServer((_request, response) => {
    response.setHeader("Content-Length", 7);
    response.end("body:1;");
  });
  using peer = await Peer.connect(await network.listen(server));
  const request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  await peer.send(request);
  await peer.until(/body:1;/);
  await peer.send(request);
  const answer = withoutDate(await peer.until(/body:1;/));
  await closed(server);
  return answer;
});

onBoth(
  "http: closes after an answer with Connection: close",
  async (network) => {
    const server = http.createServer((_request, response) => {
      response.setHeader("Connection", "close");
      response.end("bye");
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const answer = withoutDate(await peer.rest());
    await closed(server);
    return answer;
  },
);

onBoth(
  "http: reads and writes chunked bodies, with trailers",
  async (network) => {
    const server = http.createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.setHeader("Trailer", "X-Sum");
      response.write(`body:${body};`);
      response.write(JSON.stringify(request.trailers));
      response.addTrailers({ "X-Sum": "7" });
      response.end();
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    await peer.send("4\r\ndefg\r\n0\r\nX-Late: yes\r\n\r\n");
    const answer = withoutDate(await peer.rest());
    await closed(server);
    return answer;
  },
);

onBoth("http: sends 100 Continue before the body", async (network) => {
  const server = http.createServer(async (request, response) => {
    let length = 0;
    for await (const chunk of request) length += chunk.length;
    response.end(`body:${length};`);
  });
  using peer = await Peer.connect(await network.listen(server));
  await peer.send(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" +
      "Expect: 100-continue\r\n\r\n",
  );
  const first = await peer.until(/\r\n\r\n/);
  await peer.send("12345");
  const second = summaryOf(await peer.until(/body:5;/));
  await closed(server);
  return [first, second];
}, ["HTTP/1.1 100 Continue\r\n\r\n", ["HTTP/1.1 200", "body:5;"]]);

onBoth(
  "http: leaves a refusal of the body to checkContinue",
  async (network) => {
    const server = http.createServer();
    server.on("checkContinue", (_request, response) => {
      response.writeHead(417);
      response.end();
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" +
        "Expect: 100-continue\r\nConnection: close\r\n\r\n",
    );
    const answer = withoutDate(await peer.rest());
    await closed(server);
    return answer;
  },
);

onBoth(
  "http: hands an upgrade out, with the bytes behind its head",
  async (network) => {
    const server = http.createServer();
    server.on("upgrade", (request, socket, head) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n` +
          `Connection: Upgrade\r\n\r\n${request.headers.upgrade}:${head}:`,
      );
      socket.on("data", (chunk) => socket.write(chunk));
      socket.on("end", () => socket.end());
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" +
        "Upgrade: echo\r\n\r\nearly",
    );
    const answer = await peer.until(/echo:early:/);
    await peer.send("late");
    const echo = await peer.until(/late/);
    await peer.end();
    const rest = await peer.rest();
    await closed(server);
    return [answer, echo, rest];
  },
);

onBoth("http: hands a CONNECT out as a tunnel", async (network) => {
  const server = http.createServer();
  server.on("connect", (request, socket) => {
    socket.write("HTTP/1.1 200 Connected\r\n\r\n");
    socket.write(request.url);
    socket.pipe(socket);
  });
  using peer = await Peer.connect(await network.listen(server));
  await peer.send("CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n");
  const answer = await peer.until(/example.org:443$/);
  await peer.send("through");
  const echo = await peer.until(/through/);
  await peer.end();
  const rest = await peer.rest();
  await closed(server);
  return [answer, echo, rest];
});

onBoth("http: answers garbage with 400, and closes", async (network) => {
  const server = http.createServer();
  using peer = await Peer.connect(await network.listen(server));
  await peer.send("garbage\r\n\r\n");
  const answer = await peer.rest();
  await closed(server);
  return answer;
}, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");

onBoth(
  "http: reports a malformed request to clientError, with its code",
  async (network) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const server = http.createServer();
    server.on("clientError", (error, socket) => {
      const { code } = error as Error & { code?: string };
      socket.end("HTTP/1.1 418 Teapot\r\n\r\n");
      resolve(code);
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n");
    const code = await promise;
    const answer = await peer.rest();
    // end() half-closes, and the server waits for this side.
    peer[Symbol.dispose]();
    await closed(server);
    // On Deno's own sockets it is "HPE_ERROR", for any fault of a request.
    return [/^HPE_/.test(String(code)), answer];
  },
  [true, "HTTP/1.1 418 Teapot\r\n\r\n"],
);

onBoth("http: answers a head that is too large with 431", async (network) => {
  const server = http.createServer();
  using peer = await Peer.connect(await network.listen(server));
  await peer.send(`GET / HTTP/1.1\r\nX-Large: ${"x".repeat(20_000)}\r\n`);
  const answer = (await peer.rest()).replace("<reset>", "");
  await closed(server);
  return answer;
});

onBoth("http: receives a body of 50 MB", async (network) => {
  const server = http.createServer(async (request, response) => {
    let length = 0;
    let sum = 0;
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      sum = sum + chunk[0]! + chunk.at(-1)! & 0xff;
    }
    response.end(`body:${length},${sum};`);
  });
  using peer = await Peer.connect(await network.listen(server));
  const size = 50_000_000;
  await peer.send(
    `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`,
  );
  const part = new Uint8Array(1_000_000).fill(7);
  for (let sent = 0; sent < size; sent += part.length) {
    await peer.sendBytes(part);
  }
  const answer = await peer.until(/body:\d+/);
  await closed(server);
  return summaryOf(answer + ";");
}, ["HTTP/1.1 200", "body:50000000;"]);

onBoth("http: sends 64 MB with backpressure", async (network) => {
  let pauses = 0;
  const size = 64 * 1024 * 1024;
  const server = http.createServer(async (_request, response) => {
    response.setHeader("Content-Length", size);
    const part = new Uint8Array(65536).fill(9);
    for (let sent = 0; sent < size; sent += part.length) {
      if (response.write(part)) continue;
      pauses++;
      await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end();
  });
  using peer = await Peer.connect(await network.listen(server));
  await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await peer.until(/\r\n\r\n/);
  const count = await peer.count(size);
  await closed(server);
  return [count, pauses > 10];
}, [64 * 1024 * 1024, true]);

onBoth(
  "http: stops a producer while its client does not read",
  async (network) => {
    let produced = 0;
    const size = 64 * 1024 * 1024;
    const full = Promise.withResolvers<void>();
    const server = http.createServer(async (_request, response) => {
      const part = new Uint8Array(65536);
      for (; produced < size; produced += part.length) {
        if (response.write(part)) continue;
        const drained = new Promise((resolve) =>
          response.once("drain", resolve)
        );
        const timer = setTimeout(full.resolve, 300);
        await drained;
        clearTimeout(timer);
      }
      response.end();
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await full.promise;
    const bounded = produced < size / 2;
    await peer.until(/\r\n\r\n/);
    const count = await peer.count(Infinity);
    await closed(server);
    return [bounded, count > size];
  },
  [true, true],
);

onBoth(
  "http: closes the answer when its client leaves in the middle",
  async (network) => {
    const events: string[] = [];
    const gone = Promise.withResolvers<void>();
    const server = http.createServer((_request, response) => {
      response.on("finish", () => events.push("finish"));
      response.on("close", () => {
        events.push(`close, ended: ${response.writableEnded}`);
        gone.resolve();
      });
      response.write("a part");
    });
    const peer = await Peer.connect(await network.listen(server));
    await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await peer.until(/a part/);
    peer[Symbol.dispose]();
    await gone.promise;
    await closed(server);
    return events;
  },
);

onBoth(
  "http: closes request and answer when a client leaves while the handler waits",
  async (network) => {
    const events: string[] = [];
    const seen = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const server = http.createServer((request, response) => {
      request.on("aborted", () => events.push("aborted"));
      request.on("error", (error) => events.push(`request: ${error.message}`));
      request.on("close", () => events.push("request: close"));
      response.on("close", () => {
        events.push("response: close");
        gone.resolve();
      });
      seen.resolve();
    });
    const peer = await Peer.connect(await network.listen(server));
    await peer.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc",
    );
    await seen.promise;
    peer[Symbol.dispose]();
    await gone.promise;
    await closed(server);
    return events.sort();
  },
);

onBoth(
  "http: ends a connection that is idle for keepAliveTimeout",
  async (network) => {
    const server = http.createServer((_request, response) => response.end("x"));
    server.keepAliveTimeout = 50;
    using peer = await Peer.connect(await network.listen(server));
    const start = performance.now();
    await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await peer.until(/\r\n\r\n/);
    const rest = await peer.rest();
    const waited = performance.now() - start >= 40;
    await closed(server);
    return [rest, waited];
  },
);

onBoth(
  "http: close() ends idle connections, and calls back",
  async (network) => {
    const server = http.createServer((_request, response) => response.end("x"));
    using peer = await Peer.connect(await network.listen(server));
    await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await peer.until(/\r\n\r\nx/);
    const { listening } = server;
    await closed(server);
    return [listening, server.listening, await peer.rest()];
  },
  [true, false, ""],
);

onBoth(
  "http: close() waits for an answer that is under way",
  async (network) => {
    const events: string[] = [];
    const seen = Promise.withResolvers<http.ServerResponse>();
    const server = http.createServer((_request, response) => {
      response.write("first,");
      seen.resolve(response);
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const response = await seen.promise;
    const end = closed(server).then(() => events.push("closed"));
    await peer.until(/first,/);
    events.push("answer");
    response.end("second");
    const rest = await peer.rest();
    await end;
    return [events, rest];
  },
);

onBoth(
  "http: a client that half-closes gets no answer, as with Node",
  async (network) => {
    const server = http.createServer((request, response) => {
      request.socket.once("end", () => response.end("x"));
    });
    using peer = await Peer.connect(await network.listen(server));
    await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await peer.end();
    const answer = await peer.rest();
    await closed(server);
    return answer;
  },
);
