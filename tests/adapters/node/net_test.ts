/** Servers and sockets of `node:net` on a reactor, compared with those of Deno. */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import net from "node:net";
import { nextTick } from "node:process";
import { finished, pipeline, Transform } from "node:stream";
import { finished as ended } from "node:stream/promises";
import type { ConnectionDuplex } from "../../../adapters/node/mod.ts";
import {
  type AnySocket,
  closed,
  type Network,
  onBoth,
  onBridge,
  stop,
} from "./networks.ts";
import { anyFile, NEEDS_POSIX } from "../../util.ts";
import { Peer } from "./peer.ts";

const NEEDS_PATHS = {
  ignore: NEEDS_POSIX.ignore,
  reason: "paths of Node are named pipes on Windows",
} as const;

/** The properties of an error that programs for Node look at. */
function described(error: unknown): unknown {
  if (!error) return "no error";
  const { code, syscall, address, port, name } = error as Record<
    string,
    unknown
  >;
  const known = typeof port === "number" ? "a port" : port;
  return { code, syscall, address, port: known, name };
}

/** A server, a client of Deno, and the server's socket for it. */
async function pair(
  network: Network,
  options: net.ServerOpts = {},
): Promise<{ server: net.Server; peer: Peer; socket: net.Socket }> {
  const server = net.createServer(options);
  const connection = once(server, "connection");
  const peer = await Peer.connect(await network.listen(server));
  const [socket] = await connection;
  return { server, peer, socket };
}

/** An echo server, and a client of the network. */
async function echo(
  network: Network,
): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer((socket) => socket.pipe(socket));
  return { server, port: await network.listen(server) };
}

/** Everything that a socket receives. */
async function text(socket: AnySocket): Promise<string> {
  let received = "";
  for await (const chunk of socket) received += chunk;
  return received;
}

/** Waits for an event, also for one after an error. */
function event(socket: AnySocket, name: string): Promise<void> {
  return new Promise((resolve) => socket.once(name, () => resolve()));
}

/** Notes the events of a socket. */
function watch(socket: AnySocket, events: unknown[]): void {
  for (const name of ["connect", "ready", "end", "finish", "error"]) {
    socket.on(name, () => events.push(name));
  }
  socket.on("close", (hadError: boolean) => events.push(`close ${hadError}`));
}

onBoth(
  "net: the server's address has the port and the family",
  async (network) => {
    const server = net.createServer();
    const port = await network.listen(server);
    const address = server.address() as net.AddressInfo;
    assertEquals(address.port, port);
    await stop(server);
    return [address.address, address.family, server.address()];
  },
  ["127.0.0.1", "IPv4", null],
);

onBoth(
  "net: the address of a server on a path is the path",
  async (network) => {
    const path = await Deno.makeTempDir() + "/socket";
    const server = net.createServer((socket) => socket.end("hello"));
    await network.listenAt(server, path);
    const address = server.address();
    const peer = await Peer.connectAt(path);
    const answer = await peer.rest();
    await stop(server);
    await Deno.remove(path.replace(/socket$/, ""), { recursive: true });
    return [address === path, answer];
  },
  [true, "hello"],
  NEEDS_PATHS,
);

onBoth(
  "net: a socket of a Unix server has no address",
  async (network) => {
    const path = await Deno.makeTempDir() + "/socket";
    const server = net.createServer((socket) => {
      const { remoteAddress, remotePort, remoteFamily, localAddress } = socket;
      socket.end(JSON.stringify([
        remoteAddress ?? null,
        remotePort ?? null,
        remoteFamily ?? null,
        localAddress ?? null,
      ]));
    });
    await network.listenAt(server, path);
    const peer = await Peer.connectAt(path);
    const answer = await peer.rest();
    await stop(server);
    await Deno.remove(path.replace(/socket$/, ""), { recursive: true });
    return answer;
  },
  "[null,null,null,null]",
  NEEDS_PATHS,
);

onBoth("net: listening is true from the event to close()", async (network) => {
  const server = net.createServer();
  const states = [server.listening];
  server.on("listening", () => states.push(server.listening));
  server.on("close", () => states.push(server.listening));
  await network.listen(server);
  await closed(server);
  return states;
}, [false, true, false]);

onBoth(
  "net: a server that is listening does not listen again",
  async (network) => {
    const server = net.createServer();
    await network.listen(server);
    const codes: unknown[] = [];
    try {
      server.listen(0);
    } catch (error) {
      codes.push((error as { code: string }).code);
    }
    try {
      await network.listen(server);
    } catch (error) {
      codes.push((error as { code: string }).code);
    }
    await stop(server);
    return codes;
  },
  ["ERR_SERVER_ALREADY_LISTEN", "ERR_SERVER_ALREADY_LISTEN"],
);

onBoth("net: a second close() calls back with an error", async (network) => {
  const server = net.createServer();
  await network.listen(server);
  await closed(server);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  server.close((error) => resolve((error as { code?: string }).code));
  return await promise;
}, "ERR_SERVER_NOT_RUNNING");

onBoth("net: a closed server can listen again", async (network) => {
  const server = net.createServer((socket) => socket.end("again"));
  await network.listen(server);
  await stop(server);
  const peer = await Peer.connect(await network.listen(server));
  const answer = await peer.rest();
  await stop(server);
  return answer;
}, "again");

onBoth("net: close() waits for the last connection", async (network) => {
  const { server, peer, socket } = await pair(network);
  const events: string[] = [];
  socket.on("close", () => events.push("socket"));
  const end = closed(server).then(() => events.push("server"));
  socket.resume();
  peer[Symbol.dispose]();
  await end;
  return events;
}, ["socket", "server"]);

onBoth("net: the end of a scope closes a server", async (network) => {
  const server = net.createServer();
  await network.listen(server);
  await server[Symbol.asyncDispose]();
  return server.listening;
}, false);

onBoth("net: getConnections() counts the open ones", async (network) => {
  const { server, peer, socket } = await pair(network);
  const count = (): Promise<number> =>
    new Promise((resolve) =>
      server.getConnections((_error, count) => resolve(count))
    );
  const open = await count();
  const close = once(socket, "close");
  socket.resume();
  peer[Symbol.dispose]();
  await close;
  const left = await count();
  await stop(server);
  return [open, left];
}, [1, 0]);

onBridge(
  "net: a connection beyond maxConnections is dropped, with its addresses",
  async (network) => {
    const { server } = await pair(network);
    server.maxConnections = 1;
    const drop = once(server, "drop");
    const { port } = server.address() as net.AddressInfo;
    const second = await Peer.connect(port);
    const [data] = await drop;
    const rest = await second.rest();
    await stop(server);
    const { localPort, remotePort, ...names } = data;
    return [names, localPort === port, typeof remotePort, rest];
  },
  [
    {
      localAddress: "127.0.0.1",
      localFamily: "IPv4",
      remoteAddress: "127.0.0.1",
      remoteFamily: "IPv4",
    },
    true,
    "number",
    "",
  ],
);

onBoth("net: a socket has the addresses of both sides", async (network) => {
  const { server, socket } = await pair(network);
  const { port } = server.address() as net.AddressInfo;
  const result = [
    socket.remoteAddress,
    socket.remoteFamily,
    socket.remotePort! > 0,
    socket.localAddress,
    socket.localPort === port,
    (socket.address() as net.AddressInfo).family,
  ];
  await stop(server);
  return result;
}, ["127.0.0.1", "IPv4", true, "127.0.0.1", true, "IPv4"]);

onBoth(
  "net: addresses that were read are known after the end",
  async (network) => {
    const { server, socket } = await pair(network);
    const before = [socket.remoteAddress, socket.remotePort];
    const close = once(socket, "close");
    socket.destroy();
    await close;
    await stop(server);
    assertEquals([socket.remoteAddress, socket.remotePort], before);
    return socket.remoteAddress;
  },
  "127.0.0.1",
);

onBoth("net: a socket knows its server", async (network) => {
  const { server, socket } = await pair(network);
  const same = (socket as unknown as { server: unknown }).server === server;
  await stop(server);
  return same;
}, true);

onBoth(
  "net: without allowHalfOpen a server ends when its client does",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    const events: unknown[] = [];
    watch(socket, events);
    socket.resume();
    await peer.send("x");
    await peer.end();
    const rest = await peer.rest();
    await stop(server);
    return [events, rest];
  },
  [["end", "finish", "close false"], ""],
);

onBoth(
  "net: with allowHalfOpen a server answers after its client's end",
  async (network) => {
    const { server, peer, socket } = await pair(network, {
      allowHalfOpen: true,
    });
    const events: unknown[] = [];
    watch(socket, events);
    const request = text(socket);
    await peer.send("ques");
    await peer.send("tion");
    await peer.end();
    const received = await request;
    const open = socket.writable;
    socket.end("answer");
    const answer = await peer.rest();
    await stop(server);
    return [received, open, answer, events];
  },
);

onBridge(
  "net: a write after the peer's end fails with EPIPE",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    socket.resume();
    const error = once(socket, "error");
    const done = Promise.withResolvers<unknown>();
    // The stream ends this side in the second tick.
    socket.once("end", () => {
      nextTick(nextTick, () => socket.write("late", done.resolve));
    });
    await peer.end();
    const [emitted] = await error;
    await stop(server);
    return [emitted.code, emitted === await done.promise];
  },
  ["EPIPE", true],
);

onBoth("net: pauseOnConnect leaves bytes until resume()", async (network) => {
  const { server, peer, socket } = await pair(network, {
    pauseOnConnect: true,
  });
  const paused = socket.isPaused();
  await peer.send("early");
  const before = socket.bytesRead;
  socket.resume();
  const [data] = await once(socket, "data");
  await stop(server);
  return [paused, before, String(data)];
}, [true, 0, "early"]);

onBoth(
  "net: destroy(error) emits error, then close with true",
  async (network) => {
    const { server, socket } = await pair(network);
    const events: unknown[] = [];
    watch(socket, events);
    const close = event(socket, "close");
    socket.destroy(new Error("own"));
    await close;
    await stop(server);
    return [events, socket.destroyed, socket.readyState];
  },
  [["error", "close true"], true, "closed"],
);

onBoth("net: a write after end() fails", async (network) => {
  const { server, socket } = await pair(network);
  socket.resume();
  socket.end();
  const error = once(socket, "error");
  socket.write("late");
  const result = described((await error)[0]);
  await stop(server);
  return result;
});

onBoth(
  "net: a write after destroy() calls back with an error, and emits none",
  async (network) => {
    const { server, socket } = await pair(network);
    const events: unknown[] = [];
    watch(socket, events);
    socket.destroy();
    const done = Promise.withResolvers<unknown>();
    socket.write("late", (error) => done.resolve(described(error)));
    const result = await done.promise;
    await stop(server);
    return [result, events];
  },
);

onBoth("net: a refused connect fails as in Node", async (network) => {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr as Deno.NetAddr;
  probe.close();
  const socket = network.connect({ hostname: "127.0.0.1", port });
  const events: unknown[] = [];
  watch(socket, events);
  const close = event(socket, "close");
  const [error] = await once(socket, "error");
  await close;
  return [
    described(error),
    // On Windows the numbers are the system's here, and libuv's in Node.
    anyFile ? error.errno : Math.sign(error.errno),
    error.message.replace(/\d+$/, ""),
    events,
  ];
});

onBoth(
  "net: a connect to a path without a socket fails with ENOENT",
  async (network) => {
    const socket = network.connect({ path: "/tmp/pollux-no-such-socket" });
    const [error] = await once(socket, "error");
    return [described(error), error.message];
  },
  undefined,
  NEEDS_PATHS,
);

onBoth("net: a connect emits connect, then ready", async (network) => {
  const { server, port } = await echo(network);
  const socket = network.connect({ hostname: "127.0.0.1", port });
  const events: unknown[] = [];
  watch(socket, events);
  const states = [socket.connecting, socket.pending, socket.readyState];
  await once(socket, "ready");
  states.push(socket.connecting, socket.pending, socket.readyState);
  socket.end();
  socket.resume();
  await once(socket, "close");
  states.push(socket.readyState);
  await stop(server);
  return [states, events];
});

onBoth(
  "net: bytes that are written before the connect arrive",
  async (network) => {
    const { server, port } = await echo(network);
    const socket = network.connect({ hostname: "127.0.0.1", port });
    socket.write("one,");
    socket.end("two");
    const answer = await text(socket);
    await stop(server);
    return answer;
  },
  "one,two",
);

onBoth("net: destroy() while connecting emits close alone", async (network) => {
  const { server, port } = await echo(network);
  const socket = network.connect({ hostname: "127.0.0.1", port });
  const events: unknown[] = [];
  watch(socket, events);
  socket.destroy();
  await once(socket, "close");
  await stop(server);
  return events;
}, ["close false"]);

onBoth(
  "net: a signal destroys a socket with an AbortError",
  async (network) => {
    const { server, port } = await echo(network);
    const controller = new AbortController();
    const socket = network.connect({
      hostname: "127.0.0.1",
      port,
      signal: controller.signal,
    });
    await once(socket, "connect");
    const error = once(socket, "error");
    controller.abort();
    const result = described((await error)[0]);
    await stop(server);
    return result;
  },
);

onBoth("net: a reset by the peer is ECONNRESET of a read", async (network) => {
  const server = net.createServer((socket) => {
    socket.on("data", () => socket.resetAndDestroy());
  });
  const port = await network.listen(server);
  const socket = network.connect({ hostname: "127.0.0.1", port });
  socket.write("x");
  const [error] = await once(socket, "error");
  await stop(server);
  return [described(error), error.message, error.errno < 0];
});

onBoth("net: resetAndDestroy() resets the peer", async (network) => {
  const { server, peer, socket } = await pair(network);
  socket.resetAndDestroy();
  const rest = await peer.rest();
  await stop(server);
  return [rest, socket.destroyed];
}, ["<reset>", true]);

onBoth(
  "net: setTimeout() emits timeout, and leaves the connection open",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    let called = 0;
    socket.setTimeout(20, () => called++);
    await once(socket, "timeout");
    const { destroyed, timeout } = socket;
    socket.setTimeout(0);
    socket.end("still open");
    socket.resume();
    const answer = await peer.rest();
    await stop(server);
    return [called, destroyed, timeout, answer];
  },
  [1, false, 20, "still open"],
);

onBoth("net: activity postpones the timeout", async (network) => {
  const { server, peer, socket } = await pair(network);
  let timeouts = 0;
  socket.on("timeout", () => timeouts++);
  socket.on("data", (data) => socket.write(data));
  socket.setTimeout(1000);
  const start = performance.now();
  while (performance.now() - start < 1100) {
    await peer.send("x");
    await peer.until(/x/);
  }
  const during = timeouts;
  socket.setTimeout(10);
  await once(socket, "timeout");
  await stop(server);
  return [during, timeouts];
}, [0, 1]);

onBoth(
  "net: setTimeout() refuses times that are none, with Node's codes",
  async (network) => {
    const { server, socket } = await pair(network);
    const codes = ["100", -1, Infinity, NaN].map((time) => {
      try {
        socket.setTimeout(time as number);
        return "accepted";
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    await stop(server);
    return codes;
  },
);

onBoth(
  "net: counts received and written bytes, those that wait included",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    const data = once(socket, "data");
    await peer.send("12345");
    await data;
    socket.cork();
    socket.write("äöü");
    socket.write(Buffer.alloc(4));
    const waiting = socket.bytesWritten;
    socket.uncork();
    socket.end();
    await peer.rest();
    await stop(server);
    return [socket.bytesRead, waiting, socket.bytesWritten];
  },
  [5, 10, 10],
);

onBoth(
  "net: writes call back in their order, also an empty one",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    const order: number[] = [];
    for (const [index, part] of ["a", "", "b", "c"].entries()) {
      socket.write(part, () => order.push(index));
    }
    const answer = await peer.until(/abc/);
    await new Promise<void>((resolve) => socket.write("", () => resolve()));
    await stop(server);
    return [answer, order];
  },
  ["abc", [0, 1, 2, 3]],
);

onBoth("net: end() sends its data, and calls back", async (network) => {
  const { server, peer, socket } = await pair(network);
  const done = new Promise<void>((resolve) => socket.end("bye", resolve));
  const answer = await peer.rest();
  await done;
  const { writableFinished } = socket;
  socket.resume();
  await stop(server);
  return [answer, writableFinished];
}, ["bye", true]);

onBoth("net: encodes text in every encoding", async (network) => {
  const { server, peer, socket } = await pair(network);
  socket.cork();
  socket.write("ä", "utf8");
  socket.write("ä", "latin1");
  socket.write("616263", "hex");
  socket.write("ZGVm", "base64");
  socket.write("ä", "utf16le");
  socket.uncork();
  socket.setDefaultEncoding("latin1");
  socket.end("ü");
  const answer = await peer.rest();
  await stop(server);
  return answer;
}, "\xc3\xa4\xe4abcdef\xe4\0\xfc");

onBoth("net: decodes text whose bytes come in parts", async (network) => {
  const { server, peer, socket } = await pair(network);
  socket.setEncoding("utf8");
  const received = text(socket);
  for (const byte of new TextEncoder().encode("äöü€😀")) {
    await peer.sendBytes(Uint8Array.of(byte));
  }
  await peer.end();
  const result = await received;
  await stop(server);
  return result;
}, "äöü€😀");

onBoth("net: sends a long text whole", async (network) => {
  const { server, peer, socket } = await pair(network);
  socket.end("ä".repeat(300_000));
  const answer = await peer.rest();
  await stop(server);
  return answer === "\xc3\xa4".repeat(300_000);
}, true);

onBoth(
  "net: gathers many chunks, text and bytes, in their order",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    let expected = "";
    socket.cork();
    for (let i = 0; i < 500; i++) {
      const part = String(i).repeat(100) + ",";
      expected += part;
      socket.write(i % 2 === 0 ? part : Buffer.from(part));
    }
    socket.uncork();
    socket.end();
    const answer = await peer.rest();
    await stop(server);
    return answer === expected;
  },
  true,
);

onBoth(
  "net: write() returns false while much waits, and drain follows",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    let writes = 0;
    while (socket.write(Buffer.alloc(100_000))) writes++;
    const { writableNeedDrain } = socket;
    const drain = once(socket, "drain");
    const count = peer.count((writes + 1) * 100_000);
    await drain;
    const received = await count;
    await stop(server);
    return [writableNeedDrain, received === (writes + 1) * 100_000];
  },
  [true, true],
);

onBoth("net: echoes ten megabytes through a pipe", async (network) => {
  const { server, port } = await echo(network);
  const socket = network.connect({ hostname: "127.0.0.1", port });
  const sent = Buffer.alloc(10_000_000);
  for (let i = 0; i < sent.length; i += 7) sent[i] = i & 255;
  socket.end(sent);
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part);
  await stop(server);
  return Buffer.concat(parts).equals(sent);
}, true);

onBridge(
  "net: received bytes are readable after the peer has closed",
  async (network) => {
    const server = net.createServer((socket) => socket.end(Buffer.alloc(5e5)));
    const port = await network.listen(server);
    const socket = network.connect({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
    });
    socket.end();
    await once(socket, "readable");
    let count = 0;
    for await (const part of socket) {
      count += part.length;
      // Slower than the peer, which has closed meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await stop(server);
    return count;
  },
  5e5,
);

onBoth(
  "net: pause() stops received data, resume() continues",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    let count = 0;
    socket.on("data", (part) => count += part.length);
    await peer.send("x");
    while (count === 0) await once(socket, "data");
    socket.pause();
    const sending = peer.sendBytes(new Uint8Array(20_000_000));
    const bounded = await Promise.race([
      sending.then(() => "all"),
      new Promise((resolve) => setTimeout(() => resolve("blocked"), 100)),
    ]);
    const before = count;
    socket.resume();
    await sending;
    while (count < 20_000_001) await once(socket, "data");
    await stop(server);
    return [before, bounded, count];
  },
  [1, "blocked", 20_000_001],
  { ignore: !anyFile, reason: "Windows takes a send of any length at once" },
);

onBoth(
  "net: pipeline() runs through a transform, and ends",
  async (network) => {
    const { server, peer, socket } = await pair(network, {
      allowHalfOpen: true,
    });
    const upper = new Transform({
      transform: (chunk, _encoding, done) =>
        done(null, String(chunk).toUpperCase()),
    });
    const end = Promise.withResolvers<unknown>();
    pipeline(socket, upper, socket, (error) => end.resolve(error ?? "ended"));
    await peer.send("shout");
    await peer.end();
    const answer = await peer.rest();
    const result = await end.promise;
    await stop(server);
    return [answer, result];
  },
  ["SHOUT", "ended"],
);

onBoth(
  "net: finished() reports an early close of the peer",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    const end = Promise.withResolvers<unknown>();
    finished(socket, (error) => end.resolve(error?.message ?? "ended"));
    socket.resume();
    await peer.end();
    const result = await end.promise;
    await stop(server);
    return result;
  },
  "ended",
);

onBoth("net: destroySoon() sends all before it destroys", async (network) => {
  const { server, peer, socket } = await pair(network);
  socket.write(Buffer.alloc(3_000_000));
  socket.destroySoon();
  const count = await peer.count(Infinity);
  await stop(server);
  return [count, socket.destroyed];
}, [3_000_000, true]);

onBoth(
  "net: destroy() loses no byte whose write has called back",
  async (network) => {
    const { server, peer, socket } = await pair(network);
    await new Promise((resolve) =>
      socket.write(Buffer.alloc(200_000), () => resolve(null))
    );
    socket.destroy();
    const count = await peer.count(Infinity);
    await stop(server);
    return count;
  },
  200_000,
);

onBoth("net: destroy() ends the write under way", async (network) => {
  const { server, peer, socket } = await pair(network);
  const calls: string[] = [];
  const done = Promise.withResolvers<void>();
  socket.write(Buffer.alloc(50_000_000), () => calls.push("first"));
  socket.write("second", () => {
    calls.push("second");
    done.resolve();
  });
  socket.destroy();
  await done.promise;
  const count = await peer.count(Infinity);
  await stop(server);
  return [calls.includes("second"), count < 50_000_000];
}, [true, true]);

onBoth(
  "net: options can be set before and after the connect",
  async (network) => {
    const { server, port } = await echo(network);
    const socket = network.connect({ hostname: "127.0.0.1", port });
    const set = (): boolean[] => [
      socket.setNoDelay(true) === socket as unknown,
      socket.setKeepAlive(true, 5000) === socket as unknown,
      socket.ref() === socket as unknown,
      socket.unref() === socket as unknown,
      socket.setTimeout(1000) === socket as unknown,
    ];
    const before = set();
    await once(socket, "connect");
    const connected = set();
    socket.ref();
    const close = once(socket, "close");
    socket.destroy();
    const after = set();
    await close;
    await stop(server);
    return [before, connected, after].flat().every(Boolean);
  },
  true,
);

onBoth("net: ref() and unref() of a server return it", async (network) => {
  const server = net.createServer();
  await network.listen(server);
  const result = [server.unref() === server, server.ref() === server];
  await stop(server);
  return result;
}, [true, true]);

onBoth(
  "net: two hundred connections at once keep their bytes apart",
  async (network) => {
    const { server, port } = await echo(network);
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const socket = network.connect({ hostname: "127.0.0.1", port });
        socket.end(`number ${index}`);
        return await text(socket);
      }),
    );
    await stop(server);
    return answers.every((answer, index) => answer === `number ${index}`);
  },
  true,
);

onBoth(
  "net: an end without data emits end, finish and close once",
  async (network) => {
    const { server, port } = await echo(network);
    const socket = network.connect({ hostname: "127.0.0.1", port });
    const events: unknown[] = [];
    await once(socket, "ready");
    watch(socket, events);
    socket.end();
    socket.resume();
    const close = event(socket, "close");
    await ended(socket as ConnectionDuplex);
    await close;
    await stop(server);
    return (events as string[]).sort();
  },
  ["close false", "end", "finish"],
);

onBoth(
  "net: connections wait while a server is busy with its first",
  async (network) => {
    const server = net.createServer((socket) => socket.end("served"));
    const port = await network.listen(server);
    const peers = await Promise.all(
      Array.from({ length: 20 }, () => Peer.connect(port)),
    );
    const answers = await Promise.all(peers.map((peer) => peer.rest()));
    await stop(server);
    return [answers.length, [...new Set(answers)]];
  },
  [20, ["served"]],
);
