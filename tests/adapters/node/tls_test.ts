/** `node:https` and `node:tls` on a reactor, with curl, openssl and Deno as clients. */

import { assertEquals, assertMatch } from "@std/assert";
import { once } from "node:events";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { attach, createConnection } from "../../../adapters/node/mod.ts";
import { absenceOf } from "../../program.ts";
import { emulated, eventually, nextTurn, test } from "../../util.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { Bridge, closed, inTime, stop } from "./networks.ts";
import { Peer } from "./peer.ts";

const openssl = await absenceOf("openssl", "version");
const curl = await absenceOf("curl", "--version");

function testTls(
  name: string,
  body: (bridge: Bridge, certificate: Certificate) => Promise<void>,
  ...reasons: (string | undefined)[]
): void {
  const reason = emulated
    ? "the emulator runs one program"
    : reasons.find((reason) => reason);
  test(
    reason === undefined ? name : `${name} (ignored: ${reason})`,
    async () => {
      const directory = await Deno.makeTempDir();
      try {
        await using bridge = new Bridge();
        const certificate = await makeCertificate(directory);
        await inTime(body(bridge, certificate), name);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
    { ignore: reason !== undefined },
  );
}

/** Runs a program, and returns its standard output. */
async function output(
  program: string,
  args: string[],
  input = "",
): Promise<Uint8Array> {
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  return (await child.output()).stdout;
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

testTls(
  "https: curl gets two pages over one connection",
  async (bridge, certificate) => {
    let connections = 0;
    const server = https.createServer(certificate, (request, response) => {
      response.end(`${request.url};`);
    });
    server.on("secureConnection", () => connections++);
    const port = await bridge.listen(server);
    const url = `https://127.0.0.1:${port}`;
    const args = ["--cacert", certificate.certFile, `${url}/1`, `${url}/2`];
    assertEquals(decode(await output("curl", args)), "/1;/2;");
    assertEquals(connections, 1);
    await stop(server);
  },
  curl,
);

testTls(
  "https: the answers to a malformed and to a late request are sent",
  async (bridge, certificate) => {
    const times = { headersTimeout: 100, connectionsCheckingInterval: 20 };
    const options = { ...certificate, ...times };
    const server = https.createServer(options, () => {});
    const port = await bridge.listen(server);
    for (
      const [request, answer] of [
        ["GARBAGE\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"],
        ["GET / HT", "HTTP/1.1 408 Request Timeout\r\n"],
      ] as const
    ) {
      using peer = await Peer.connectTls(port, certificate.cert);
      await peer.send(request);
      const received = await peer.rest();
      assertEquals(received.slice(0, answer.length), answer);
    }
    await stop(server);
  },
);

testTls(
  "tls: bytes that are written before destroy() are sent",
  async (bridge, certificate) => {
    const server = tls.createServer(certificate, (socket) => {
      socket.write("reply");
      socket.destroy();
    });
    const port = await bridge.listen(server);
    using peer = await Peer.connectTls(port, certificate.cert);
    assertEquals(await peer.rest(), "reply");
    await closed(server);
  },
);

testTls(
  "tls: bytes that a client writes before destroy() are sent",
  async (bridge, certificate) => {
    const received = Promise.withResolvers<string>();
    const server = tls.createServer(certificate, (socket) => {
      let text = "";
      socket.on("data", (chunk) => text += chunk);
      socket.on("end", () => received.resolve(text));
      socket.on("error", () => {});
      socket.write("greeting");
    });
    const port = await bridge.listen(server);
    const client = tls.connect({
      socket: createConnection(bridge.reactor, { port }),
      servername: "localhost",
      ca: certificate.cert,
    });
    await once(client, "data");
    client.write("farewell");
    client.destroy();
    assertEquals(await received.promise, "farewell");
    await stop(server);
  },
);

testTls(
  "tls: a client that is paused at the peer's end receives the bytes before it",
  async (bridge, certificate) => {
    const server = tls.createServer(certificate, (socket) => {
      socket.on("data", () => {});
      socket.end("x".repeat(30_000));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const connection = createConnection(bridge.reactor, { port });
    const ended = once(connection, "end");
    const client = tls.connect({
      socket: connection,
      servername: "localhost",
      ca: certificate.cert,
    });
    await once(client, "secureConnect");
    client.pause();
    await ended;
    // A stream that its end destroys is destroyed after some turns.
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    let bytes = 0;
    client.on("data", (chunk) => bytes += chunk.length);
    client.resume();
    // After a pause, node:tls may emit no "end", on Deno's own sockets too.
    await eventually(() => bytes === 30_000, "all bytes");
    client.destroy();
    server.close();
    await once(server, "close");
  },
);

testTls(
  "tls: bytes written before destroy() are sent after STARTTLS",
  async (bridge, certificate) => {
    const secureContext = tls.createSecureContext(certificate);
    const server = net.createServer((socket) => {
      const secure = new tls.TLSSocket(socket, {
        isServer: true,
        secureContext,
      });
      secure.once("data", () => {
        secure.write("reply");
        secure.destroy();
      });
    });
    const port = await bridge.listen(server);
    using peer = await Peer.connectTls(port, certificate.cert);
    await peer.send("request");
    assertEquals(await peer.rest(), "reply");
    await closed(server);
  },
);

testTls(
  "https: curl downloads and uploads 20 MB",
  async (bridge, certificate) => {
    const size = 20_000_000;
    const server = https.createServer(
      certificate,
      async (request, response) => {
        let count = 0;
        for await (const chunk of request) count += chunk.length;
        if (request.method === "POST") response.end(String(count));
        else response.end(new Uint8Array(size));
      },
    );
    const url = `https://127.0.0.1:${await bridge.listen(server)}`;
    const trust = ["--cacert", certificate.certFile];
    assertEquals((await output("curl", [...trust, url])).length, size);
    const upload = ["-H", "Expect:", "--data-binary", "@-", url];
    const answer = await output(
      "curl",
      [...trust, ...upload],
      "x".repeat(size),
    );
    assertEquals(decode(answer), String(size));
    await stop(server);
  },
  curl,
);

testTls(
  "tls: openssl s_client verifies a server, over TLS 1.3",
  async (bridge, certificate) => {
    const server = tls.createServer(certificate, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => socket.end(`echo ${data}`));
    });
    const port = await bridge.listen(server);
    const args = ["s_client", "-connect", `127.0.0.1:${port}`];
    const trust = ["-CAfile", certificate.certFile, "-ign_eof"];
    const text = decode(
      await output("openssl", [...args, ...trust], "hello\n"),
    );
    assertMatch(text, /Verify return code: 0 \(ok\)/);
    assertMatch(text, /TLSv1\.3/);
    assertMatch(text, /echo hello/);
    await stop(server);
  },
  openssl,
);

testTls(
  "tls: a client verifies the server over a reactor's connection",
  async (bridge, certificate) => {
    const server = tls.createServer({
      ...certificate,
      ALPNProtocols: ["chat", "echo"],
    }, (socket) => socket.pipe(socket));
    const port = await bridge.listen(server);
    const client = tls.connect({
      socket: createConnection(bridge.reactor, { port }),
      servername: "localhost",
      ca: certificate.cert,
      ALPNProtocols: ["echo"],
    });
    await once(client, "secureConnect");
    assertEquals([client.authorized, client.alpnProtocol], [true, "echo"]);
    client.end("over the reactor");
    let text = "";
    for await (const chunk of client) text += chunk;
    assertEquals(text, "over the reactor");
    await stop(server);
  },
);

testTls(
  "tls: an unknown certificate is an error of the client",
  async (bridge, certificate) => {
    const server = tls.createServer(certificate);
    server.on("tlsClientError", () => {});
    const port = await bridge.listen(server);
    const client = tls.connect({
      socket: createConnection(bridge.reactor, { port }),
      servername: "localhost",
    });
    const [error] = await once(client, "error");
    assertMatch(error.code, /SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/);
    await stop(server);
  },
);

testTls(
  "https: a plain request is reported, and the server goes on",
  async (bridge, certificate) => {
    const server = https.createServer(certificate, (_request, response) => {
      response.end("secure");
    });
    const errors: Error[] = [];
    server.on("tlsClientError", (error) => errors.push(error));
    const port = await bridge.listen(server);
    const plain = await Deno.connect({ port });
    await plain.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    const buffer = new Uint8Array(1000);
    while (await plain.read(buffer).catch(() => null) !== null);
    plain.close();
    assertEquals(errors.length, 1);
    const { cert: ca } = certificate;
    const request = https.get({
      port,
      hostname: "127.0.0.1",
      ca,
      agent: false,
    });
    const [response] = await once(request, "response");
    let body = "";
    for await (const chunk of response) body += chunk;
    assertEquals(body, "secure");
    await stop(server);
  },
);

testTls(
  "https: an attached server closes with its reactor",
  async (bridge, certificate) => {
    const server = https.createServer(certificate);
    attach(server, bridge.reactor, { hostname: "127.0.0.1", port: 0 });
    const close = once(server, "close");
    await bridge.reactor[Symbol.asyncDispose]();
    await close;
    assertEquals(server.listening, false);
  },
);
