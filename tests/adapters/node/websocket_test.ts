/** WebSockets by `ws` of npm on a reactor, with Deno's own `WebSocket` as the client. */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import http from "node:http";
import { WebSocketServer } from "ws";
import { eventually, test, wine } from "../../util.ts";
import { Bridge, closed, inTime } from "./networks.ts";

/** Under Wine, Deno takes 50 seconds for a thousand sockets. */
const MEMBERS = wine ? 100 : 1000;

/** The member of a socket of `ws` that tests use. */
interface ServerSocket {
  on(event: string, listener: (...args: never[]) => void): void;
  send(data: string | Uint8Array, options?: { binary: boolean }): void;
  close(code: number, reason: string): void;
  ping(): void;
}

/** A server whose sockets are given to a function. */
async function serve(
  bridge: Bridge,
  onSocket: (socket: ServerSocket) => void,
): Promise<{ server: http.Server; url: string }> {
  const server = http.createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, onSocket);
  });
  const port = await bridge.listen(server);
  return { server, url: `ws://127.0.0.1:${port}` };
}

/** A socket of Deno that is open. */
async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return socket;
}

/** The next message of a socket. */
function next(socket: WebSocket): Promise<string | ArrayBuffer> {
  return new Promise((resolve) => {
    socket.onmessage = ({ data }): void => resolve(data);
  });
}

/** Waits until a socket is closed. */
function end(socket: WebSocket): Promise<CloseEvent> {
  return new Promise((resolve) => socket.onclose = resolve);
}

/** Defines a test with a bridge. Node's timers of `ws` outlive its sockets. */
function testSockets(
  name: string,
  body: (bridge: Bridge) => Promise<void>,
): void {
  test(name, async () => {
    await using bridge = new Bridge();
    await inTime(body(bridge), name);
  }, { sanitizeOps: false, sanitizeResources: false });
}

testSockets("ws: echoes text, and three megabytes", async (bridge) => {
  const { server, url } = await serve(bridge, (socket) => {
    socket.on("message", (data: Uint8Array, binary: boolean) => {
      socket.send(data, { binary });
    });
  });
  const socket = await connect(url);
  let answer = next(socket);
  socket.send("hello");
  assertEquals(await answer, "hello");
  const bytes = crypto.getRandomValues(new Uint8Array(65536));
  const large = Buffer.concat(Array.from({ length: 48 }, () => bytes));
  answer = next(socket);
  socket.send(large);
  assertEquals(
    Buffer.compare(Buffer.from(await answer as ArrayBuffer), large),
    0,
  );
  const closing = end(socket);
  socket.close();
  await closing;
  await closed(server);
});

testSockets("ws: a close of either side has its code", async (bridge) => {
  const codes: number[] = [];
  const { server, url } = await serve(bridge, (socket) => {
    socket.on("close", (code: number) => codes.push(code));
    socket.on("message", () => socket.close(4001, "enough"));
  });
  const first = await connect(url);
  const ended = end(first);
  first.send("x");
  const { code, reason } = await ended;
  assertEquals([code, reason], [4001, "enough"]);
  const second = await connect(url);
  const closing = end(second);
  second.close(4002);
  await closing;
  await eventually(() => codes.length === 2, "the codes");
  assertEquals(codes, [4001, 4002]);
  await closed(server);
});

testSockets("ws: a ping is answered", async (bridge) => {
  const pong = Promise.withResolvers<void>();
  const { server, url } = await serve(bridge, (socket) => {
    socket.on("pong", () => pong.resolve());
    socket.ping();
  });
  const socket = await connect(url);
  await pong.promise;
  const closing = end(socket);
  socket.close();
  await closing;
  await closed(server);
});

testSockets(
  `ws: ${MEMBERS} sockets get every broadcast, in its order`,
  async (bridge) => {
    const members = new Set<ServerSocket>();
    const { server, url } = await serve(bridge, (socket) => {
      members.add(socket);
      socket.on("close", () => members.delete(socket));
    });
    const sockets: WebSocket[] = [];
    for (let i = 0; i < MEMBERS / 50; i++) {
      const batch = Array.from({ length: 50 }, () => connect(url));
      sockets.push(...await Promise.all(batch));
    }
    assertEquals(members.size, MEMBERS);
    const received = sockets.map((): string[] => []);
    for (const [index, socket] of sockets.entries()) {
      socket.onmessage = ({ data }): void => void received[index]!.push(data);
    }
    const sent = ["one", "two", "three"];
    for (const text of sent) for (const socket of members) socket.send(text);
    await eventually(
      () => received.every(({ length }) => length === sent.length),
      "the broadcasts",
    );
    assertEquals(received.every((texts) => texts.join() === sent.join()), true);
    const closing = Promise.all(sockets.map(end));
    for (const socket of sockets) socket.close();
    await closing;
    await eventually(() => members.size === 0, "the ends");
    const close = once(server, "close");
    server.close();
    await close;
  },
);
