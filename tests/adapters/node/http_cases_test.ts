/** Rarer features of `node:http` on a reactor, and its client on connections of one. */

import { once } from "node:events";
import http from "node:http";
import type { Duplex } from "node:stream";
import { anyFile } from "../../util.ts";
import { type Network, onBoth, onBridge, stop } from "./networks.ts";
import { Peer, summaryOf, withoutDate } from "./peer.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Starts a server, and sends it bytes. */
async function ask(
  network: Network,
  server: http.Server,
  request: string,
): Promise<Peer> {
  const peer = await Peer.connect(await network.listen(server));
  await peer.send(request);
  return peer;
}

/** The answer to a request of `node:http`, over the network. */
async function fetched(
  network: Network,
  port: number,
  options: http.RequestOptions = {},
  body: string = "",
): Promise<
  { status: number; body: string; headers: http.IncomingHttpHeaders }
> {
  const request = http.request({
    ...options,
    createConnection: () => network.connect({ port }) as Duplex,
  });
  request.end(body);
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, body: text, headers: response.headers };
}

onBoth("http: an answer to HEAD has no body", async (network) => {
  const server = http.createServer((_request, response) => response.end("x"));
  const peer = await ask(network, server, LAST.replace("GET", "HEAD"));
  const answer = withoutDate(await peer.rest());
  await stop(server);
  return answer;
});

for (const status of [204, 304]) {
  onBoth(
    `http: an answer with status ${status} has no body`,
    async (network) => {
      const server = http.createServer((_request, response) => {
        response.writeHead(status);
        response.end();
      });
      const peer = await ask(network, server, LAST);
      const answer = withoutDate(await peer.rest());
      await stop(server);
      return answer;
    },
  );
}

onBoth(
  "http: a request without a host is answered with 400",
  async (network) => {
    const server = http.createServer((_request, response) => response.end("x"));
    const peer = await ask(network, server, "GET / HTTP/1.1\r\n\r\n");
    const answer = withoutDate(await peer.rest());
    await stop(server);
    return answer;
  },
);

onBoth("http: sends early hints before the answer", async (network) => {
  const server = http.createServer((_request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    response.end("x");
  });
  const peer = await ask(network, server, LAST);
  const answer = withoutDate(await peer.rest());
  await stop(server);
  return answer;
});

onBoth("http: sends 102 Processing before the answer", async (network) => {
  const server = http.createServer((_request, response) => {
    response.writeProcessing();
    response.end("x");
  });
  const peer = await ask(network, server, LAST);
  const answer = withoutDate(await peer.rest());
  await stop(server);
  return answer;
});

onBoth("http: answers an unknown expectation with 417", async (network) => {
  const server = http.createServer((_request, response) => response.end("x"));
  const request = LAST.replace("Connection", "Expect: x\r\nConnection");
  const peer = await ask(network, server, request);
  const answer = withoutDate(await peer.rest());
  await stop(server);
  return answer;
});

onBoth(
  "http: repeated headers are joined, cookies are a list",
  async (network) => {
    const server = http.createServer((request, response) => {
      response.setHeader("Set-Cookie", ["a=1", "b=2"]);
      response.end(JSON.stringify([request.headers, request.rawHeaders]));
    });
    const request = LAST.replace(
      "Host",
      `${["X-A: 1", "X-A: 2", "Cookie: c"].join("\r\n")}\r\nHost`,
    );
    const peer = await ask(network, server, request);
    const answer = withoutDate(await peer.rest());
    await stop(server);
    return answer;
  },
);

onBoth("http: sends a head of a hundred headers", async (network) => {
  const server = http.createServer((_request, response) => {
    for (let i = 0; i < 100; i++) response.setHeader(`X-${i}`, "v".repeat(99));
    response.end("x");
  });
  const peer = await ask(network, server, LAST);
  const answer = withoutDate(await peer.rest());
  await stop(server);
  return answer;
});

onBoth("http: many small writes arrive in their order", async (network) => {
  const server = http.createServer(async (_request, response) => {
    for (let i = 0; i < 200; i++) {
      response.write(i % 2 === 0 ? `${i},` : new TextEncoder().encode(`${i},`));
      if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    response.end();
  });
  const { body } = await fetched(network, await network.listen(server));
  await stop(server);
  return body === Array.from({ length: 200 }, (_, i) => `${i},`).join("");
}, true);

onBoth("http: text beyond ASCII arrives, also as Latin-1", async (network) => {
  const server = http.createServer((request, response) => {
    if (request.url === "/latin1") response.end("äöü", "latin1");
    else response.end("äöü€😀");
  });
  const peer = await ask(network, server, GET);
  const utf8 = await peer.until(/\x98\x80/);
  await peer.send(LAST.replace("/ ", "/latin1 "));
  const latin1 = await peer.rest();
  await stop(server);
  return [withoutDate(utf8), withoutDate(latin1)];
});

onBoth(
  "http: a short answer follows a long one in its order",
  async (network) => {
    const server = http.createServer((request, response) => {
      response.end(request.url === "/long" ? "x".repeat(5_000_000) : "short");
    });
    const peer = await ask(
      network,
      server,
      GET.replace("/ ", "/long ") + LAST.replace("/ ", "/short "),
    );
    const answer = await peer.rest();
    await stop(server);
    return [answer.length > 5_000_000, answer.endsWith("\r\n\r\nshort")];
  },
  [true, true],
);

onBoth(
  "http: an answer of more bytes than a connection may queue arrives whole",
  async (network) => {
    const part = new Uint8Array(1_000_000);
    const server = http.createServer((request, response) => {
      if (request.url === "/whole") return response.end(new Uint8Array(2e7));
      for (let count = 0; count < 20; count++) response.write(part);
      response.end();
    });
    const counts: number[] = [];
    for (const path of ["/whole", "/parts"]) {
      // An answer by HTTP/1.0 has no chunks, and ends with its connection.
      const request = `GET ${path} HTTP/1.0\r\n\r\n`;
      const peer = await ask(network, server, request);
      await peer.until(/\r\n\r\n/);
      counts.push(await peer.count(3e7));
      await stop(server);
    }
    return counts;
  },
  [2e7, 2e7],
);

/** On Windows Deno never fills a socket: nothing is paused, and Node sees the end. */
const onBothOfPosix = anyFile ? onBoth : onBridge;

onBothOfPosix(
  "http: a client that half-closes while answers wait for it gets all of them",
  async (network) => {
    const aborted: (string | undefined)[] = [];
    const server = http.createServer((request, response) => {
      request.on("aborted", () => aborted.push(request.url));
      response.end(request.url === "/long" ? "x".repeat(9_000_000) : "short");
    });
    const requests = ["/long", "/long", "/short"].map((path) =>
      GET.replace("/", path)
    );
    const port = await network.listen(server);
    const peer = await Peer.connect(port);
    await peer.send(requests.join(""));
    await peer.end();
    // The server sees the end before this client's second answer.
    const other = await Peer.connect(port);
    for (let count = 0; count < 2; count++) {
      await other.send(GET);
      await other.until(/short/);
    }
    const answer = await peer.rest();
    await stop(server);
    return [answer.length > 18_000_000, answer.slice(-9), aborted];
  },
  [true, "\r\n\r\nshort", []],
);

onBoth(
  "http: a hundred pipelined requests with bodies are answered in order",
  async (network) => {
    const server = http.createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.end(`body:${body};`);
    });
    const requests = Array.from({ length: 100 }, (_, i) => {
      const body = `number ${i}`;
      return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    });
    const peer = await ask(network, server, requests.join(""));
    const answers = summaryOf(await peer.until(/body:number 99;/));
    await stop(server);
    return answers;
  },
);

onBoth(
  "http: maxRequestsPerSocket announces the last request of a connection",
  async (network) => {
    const server = http.createServer((_request, response) => response.end("x"));
    server.maxRequestsPerSocket = 2;
    const peer = await ask(network, server, GET);
    await peer.until(/\r\n\r\nx/);
    await peer.send(GET);
    const answer = withoutDate(await peer.until(/\r\n\r\nx/));
    await stop(server);
    return answer;
  },
);

onBoth(
  "http: a head that takes too long is answered with 408",
  async (network) => {
    const server = http.createServer({
      headersTimeout: 50,
      requestTimeout: 60,
      connectionsCheckingInterval: 20,
    });
    const peer = await ask(network, server, "GET / HTTP/1.1\r\n");
    const answer = await peer.rest();
    await stop(server);
    return answer;
  },
  "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n",
);

onBoth(
  "http: a body that takes too long is answered with 408",
  async (network) => {
    const server = http.createServer({
      headersTimeout: 40,
      requestTimeout: 60,
      connectionsCheckingInterval: 20,
    }, (request) => request.resume());
    const peer = await ask(
      network,
      server,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
    );
    const answer = await peer.rest();
    await stop(server);
    return answer;
  },
);

onBoth(
  "http: setTimeout() of a server ends idle connections",
  async (network) => {
    const server = http.createServer();
    server.setTimeout(30);
    const peer = await ask(network, server, "");
    const answer = await peer.rest();
    await stop(server);
    return answer;
  },
  "",
);

onBoth(
  "http: a timeout listener of a server keeps idle connections",
  async (network) => {
    const server = http.createServer((_request, response) => response.end("x"));
    const timeout = new Promise((resolve) => server.setTimeout(30, resolve));
    const peer = await ask(network, server, "");
    await timeout;
    await peer.send(LAST);
    const answer = withoutDate(await peer.rest());
    await stop(server);
    return answer;
  },
);

onBoth(
  "http: a request's own timeout is emitted while it is handled",
  async (network) => {
    const events: string[] = [];
    const server = http.createServer((request, response) => {
      request.setTimeout(30, () => {
        events.push("timeout");
        response.end("late");
      });
    });
    const peer = await ask(network, server, LAST);
    const answer = withoutDate(await peer.rest());
    await stop(server);
    return [events, answer];
  },
);

onBoth("http: destroying an answer cuts it off", async (network) => {
  const server = http.createServer((_request, response) => {
    response.setHeader("Content-Length", 100);
    response.write("a part");
    setTimeout(() => response.destroy(), 10);
  });
  const peer = await ask(network, server, GET);
  const answer = withoutDate(await peer.rest());
  await stop(server);
  return answer;
});

onBoth(
  "http: closeAllConnections() cuts answers under way",
  async (network) => {
    const seen = Promise.withResolvers<void>();
    const server = http.createServer((_request, response) => {
      response.write("a part");
      seen.resolve();
    });
    const peer = await ask(network, server, GET);
    await seen.promise;
    await peer.until(/a part/);
    server.closeAllConnections();
    const rest = await peer.rest();
    await stop(server);
    return rest;
  },
);

onBoth(
  "http: the socket of a request has the address of the client",
  async (network) => {
    const server = http.createServer((request, response) => {
      const { remoteAddress, remoteFamily, encrypted } = request
        .socket as unknown as Record<string, unknown>;
      response.end(JSON.stringify([remoteAddress, remoteFamily, encrypted]));
    });
    const { body } = await fetched(network, await network.listen(server));
    await stop(server);
    return body;
  },
  '["127.0.0.1","IPv4",null]',
);

onBoth(
  "http: listeners of an answer get finish, then close",
  async (network) => {
    const events: string[] = [];
    const done = Promise.withResolvers<void>();
    const server = http.createServer((request, response) => {
      request.on("end", () => events.push("request: end"));
      request.resume();
      response.on("finish", () => events.push("finish"));
      response.on("close", () => {
        events.push("close");
        done.resolve();
      });
      response.end("x", () => events.push("callback"));
    });
    const peer = await ask(network, server, LAST);
    await peer.rest();
    await done.promise;
    await stop(server);
    return events.filter((name) => name !== "request: end");
  },
);

onBoth(
  "http: an upgrade without a listener is a plain request",
  async (network) => {
    const server = http.createServer((_request, response) => response.end("x"));
    const request =
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\n" +
      "Upgrade: unknown\r\n\r\n";
    const peer = await ask(network, server, request);
    const answer = summaryOf(await peer.rest());
    await stop(server);
    return answer;
  },
);

onBoth(
  "http: an unreadable chunk of a body is answered with 400",
  async (network) => {
    const server = http.createServer((request) => {
      request.on("error", () => {});
      request.resume();
    });
    const peer = await ask(
      network,
      server,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    );
    const answer = summaryOf(await peer.rest());
    await stop(server);
    return answer;
  },
  ["HTTP/1.1 400"],
);

onBoth(
  "http: both lengths of a body at once are answered with 400",
  async (network) => {
    const server = http.createServer((request) => request.resume());
    const peer = await ask(
      network,
      server,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" +
        "Content-Length: 5\r\n\r\n0\r\n\r\n",
    );
    const answer = summaryOf(await peer.rest());
    await stop(server);
    return answer;
  },
  ["HTTP/1.1 400"],
);

onBoth("http client: posts a body, and reads the answer", async (network) => {
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.setHeader("X-Method", request.method!);
    response.writeHead(201);
    response.end(body.toUpperCase());
  });
  const port = await network.listen(server);
  const options = { method: "POST", path: "/path" };
  const { status, body, headers } = await fetched(
    network,
    port,
    options,
    "posted",
  );
  await stop(server);
  return [status, body, headers["x-method"]];
}, [201, "POSTED", "POST"]);

onBoth("http client: an agent reuses one connection", async (network) => {
  const server = http.createServer((_request, response) => response.end("x"));
  const port = await network.listen(server);
  let dials = 0;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => {
    dials++;
    return network.connect({ port }) as Duplex;
  };
  for (let i = 0; i < 5; i++) {
    const request = http.get({ agent });
    const [response] = await once(request, "response");
    response.resume();
    await once(response, "end");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  agent.destroy();
  await stop(server);
  return dials;
}, 1);

onBoth("http client: gets an upgraded stream", async (network) => {
  const server = http.createServer();
  server.on("upgrade", (_request, socket) => {
    socket.end(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n" +
        "Connection: Upgrade\r\n\r\nfirst",
    );
  });
  const port = await network.listen(server);
  const request = http.get({
    headers: { Connection: "Upgrade", Upgrade: "x" },
    createConnection: () => network.connect({ port }) as Duplex,
  });
  const [response, socket, head] = await once(request, "upgrade");
  socket.destroy();
  await stop(server);
  return [response.statusCode, String(head)];
}, [101, "first"]);

onBoth(
  "http client: a refused connection is an error of the request",
  async (network) => {
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = probe.addr as Deno.NetAddr;
    probe.close();
    const request = http.get({
      createConnection: () =>
        network.connect({ hostname: "127.0.0.1", port }) as Duplex,
    });
    const [error] = await once(request, "error");
    return [error.code, error.syscall, error.address];
  },
  ["ECONNREFUSED", "connect", "127.0.0.1"],
);

onBoth("http client: a server that leaves is a hang-up", async (network) => {
  const server = http.createServer((request) => request.socket.destroy());
  const port = await network.listen(server);
  const request = http.get({
    createConnection: () => network.connect({ port }) as Duplex,
  });
  const [error] = await once(request, "error");
  await stop(server);
  return [error.code, error.message];
}, ["ECONNRESET", "socket hang up"]);
