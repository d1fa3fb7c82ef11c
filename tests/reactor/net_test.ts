/**
 * One program, written against `Deno.Conn` and `Deno.Listener`, on Deno's own
 * network and on the reactor's: each scenario has to end alike, error for error.
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Reactor } from "../../reactor/mod.ts";
import {
  anyFile,
  NEEDS_UNIX_SOCKETS,
  test,
  type TestOptions,
  untilPending,
} from "../util.ts";

/** The calls of both networks. */
interface Network {
  listen(options: Deno.TcpListenOptions): Deno.TcpListener;
  listen(
    options: Deno.UnixListenOptions & { transport: "unix" },
  ): Deno.UnixListener;
  connect(options: Deno.ConnectOptions): Promise<Deno.TcpConn>;
  connect(options: Deno.UnixConnectOptions): Promise<Deno.UnixConn>;
}

/** A scenario leaves a transcript of its results. */
type Scenario = (network: Network, say: Say) => Promise<void>;
type Say = (what: string, action: () => unknown) => Promise<void>;

/** Messages that differ by name alone: Deno speaks of resources, we of connections. */
function errorOf(error: Error & { code?: string }): string {
  const known = error instanceof Deno.errors.BadResource ? "" : error.message;
  return `${error.name} ${known} ${error.code ?? ""}`.trim();
}

async function transcriptOf(
  network: Network,
  scenario: Scenario,
): Promise<string[]> {
  const lines: string[] = [];
  await scenario(network, async (what, action) => {
    try {
      lines.push(`${what}: ${JSON.stringify(await action() ?? null)}`);
    } catch (error) {
      lines.push(`${what}: threw ${errorOf(error as Error)}`);
    }
  });
  return lines;
}

function onBoth(
  name: string,
  scenario: Scenario,
  options: TestOptions = {},
): void {
  test(`Conn and Listener: ${name}`, async () => {
    const expected = await transcriptOf(Deno as Network, scenario);
    const reported: unknown[] = [];
    await using reactor = new Reactor({ onError: (e) => reported.push(e) });
    reactor.serve();
    const actual = await transcriptOf(reactor.net as Network, scenario);
    assertEquals(actual, expected);
    assertEquals(reported, []);
  }, options);
}

/** On Windows Deno never fills a socket, and WSAESHUTDOWN has no class of its own. */
const NOT_DENO_OF_WINDOWS = {
  ignore: !anyFile,
  reason: "Deno itself differs on Windows",
} as const;

async function pair(network: Network): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = network.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [client, server] = await Promise.all([
    network.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  return [client, server];
}

function bytes(...values: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values);
}

onBoth("empty reads and writes are not end of file", async (net, say) => {
  const [client, server] = await pair(net);
  await say("read", () => client.read(bytes()));
  await say("write", () => client.write(bytes()));
  client.close();
  server.close();
});

onBoth("an empty chunk after closeWrite() ends nothing", async (net, say) => {
  const [client, server] = await pair(net);
  await client.closeWrite();
  const writer = client.writable.getWriter();
  await say("write", () => writer.write(bytes()));
  await server.write(bytes(1, 2));
  await say("read", () => client.read(new Uint8Array(5)));
  client.close();
  await say("write after close()", () => client.write(bytes()));
  server.close();
});

onBoth("concurrent reads are served in their order", async (net, say) => {
  const [client, server] = await pair(net);
  const reads = [client.read(bytes(0, 0)), client.read(bytes(0, 0))];
  await server.write(bytes(1, 2));
  await say("first", () => reads[0]);
  await server.write(bytes(3));
  await say("second", () => reads[1]);
  client.close();
  server.close();
});

onBoth("close() interrupts a read, and ends every method", async (net, say) => {
  const [client, server] = await pair(net);
  const read = client.read(bytes(0));
  client.close();
  await say("pending read", () => read);
  await say("read", () => client.read(bytes(0)));
  await say("write", () => client.write(bytes(0)));
  await say("closeWrite", () => client.closeWrite());
  await say("setNoDelay", () => client.setNoDelay());
  await say("setKeepAlive", () => client.setKeepAlive());
  await say("close", () => client.close());
  await say("dispose", () => client[Symbol.dispose]());
  await say("transport", () => client.localAddr.transport);
  await say("peer's read", () => server.read(bytes(0)));
  await say("peer's next read", () => server.read(bytes(0)));
  server.close();
});

onBoth("a close with unread input resets no peer", async (net, say) => {
  const closes: ((conn: Deno.TcpConn) => unknown)[] = [
    (conn) => conn.close(),
    (conn) => conn[Symbol.dispose](),
    (conn) => conn.readable.cancel(),
    (conn) => conn.writable.close(),
    (conn) => conn.writable.abort(),
  ];
  for (const close of closes) {
    const [client, server] = await pair(net);
    await client.write(bytes(1, 2));
    await server.read(bytes(0));
    await server.write(bytes(3, 4, 5));
    await close(server);
    await say("reply", () => client.read(new Uint8Array(5)));
    await say("end", () => client.read(new Uint8Array(5)));
    client.close();
  }
}, NOT_DENO_OF_WINDOWS);

onBoth("closeWrite() leaves the other direction open", async (net, say) => {
  const [client, server] = await pair(net);
  await say("closeWrite", () => client.closeWrite());
  await say("closeWrite again", () => client.closeWrite());
  await say("write", () => client.write(bytes(1)));
  await say("peer's read", () => server.read(bytes(0)));
  await say("peer's write", () => server.write(bytes(1, 2)));
  await say("read", () => client.read(bytes(0, 0, 0)));
  client.close();
  server.close();
}, NOT_DENO_OF_WINDOWS);

onBoth(
  "closeWrite() comes after the writes that are pending",
  async (net, say) => {
    const [client, server] = await pair(net);
    const load = new Uint8Array(16_000_000);
    let accepted = 0;
    const writes = [0, 1, 2].map(async () => {
      accepted += await client.write(load);
    });
    const end = client.closeWrite();
    const late = client.write(load);
    late.catch(() => {}); // It is asked for below.
    let received = 0;
    for await (const chunk of server.readable) received += chunk.length;
    await say("writes", () => Promise.all(writes));
    await say("end", () => end);
    await say("write after it", () => late);
    await say("all", () => received === accepted && received > load.length / 2);
    client.close();
  },
  NOT_DENO_OF_WINDOWS,
);

onBoth("close() interrupts a closeWrite() that waits", async (net, say) => {
  const [client, server] = await pair(net);
  const load = new Uint8Array(16_000_000);
  await untilPending(() => client.write(load));
  const pending = [client.write(load), client.closeWrite()];
  for (const promise of pending) promise.catch(() => {}); // As above.
  client.close();
  for (const promise of pending) await say("pending", () => promise);
  server.close();
}, NOT_DENO_OF_WINDOWS);

onBoth(
  "a `writable` sends written chunks before it is closed",
  async (net, say) => {
    const [client, server] = await pair(net);
    const writer = client.writable.getWriter();
    const sent = [writer.write(new Uint8Array(16_000_000)), writer.close()];
    let received = 0;
    for await (const chunk of server.readable) received += chunk.length;
    await say("received", () => received);
    for (const promise of sent) await say("sent", () => promise);
  },
);

onBoth("the end of `readable` closes the connection", async (net, say) => {
  const [client, server] = await pair(net);
  await client.write(bytes(1, 2, 3));
  await client.closeWrite();
  const reader = server.readable.getReader();
  await say("read", async () => (await reader.read()).value?.length);
  await say("end", async () => (await reader.read()).done);
  await say("write", () => server.write(bytes(1)));
  await say("close", () => server.close());
  client.close();
});

onBoth("`readable` reads into memory of the caller", async (net, say) => {
  const [client, server] = await pair(net);
  const reader = client.readable.getReader({ mode: "byob" });
  await server.write(bytes(7, 8));
  await say("read", async () => {
    const { value } = await reader.read(new Uint8Array(10));
    return [value?.length, value?.buffer.byteLength];
  });
  const pending = reader.read(new Uint8Array(10));
  client.close();
  await say("pending read", () => pending);
  server.close();
});

onBoth("several reads of `readable` wait at a time", async (net, say) => {
  for (const mode of ["byob", undefined] as const) {
    const [client, server] = await pair(net);
    const reader = mode === "byob"
      ? client.readable.getReader({ mode })
      : client.readable.getReader();
    const reads = [1, 2, 3].map(() =>
      (reader as ReadableStreamBYOBReader).read(new Uint8Array(2))
    );
    for (const byte of [1, 2, 3]) {
      await server.write(bytes(byte));
      await say("read", async () => [...(await reads[byte - 1]!).value!]);
    }
    client.close();
    server.close();
  }
});

onBoth(
  "a read of `readable` waits for its minimum",
  async (net, say) => {
    const [client, server] = await pair(net);
    const reader = client.readable.getReader({ mode: "byob" });
    const read = reader.read(new Uint8Array(8), { min: 3 });
    for (const byte of [1, 2, 3]) await server.write(bytes(byte));
    await say("read", async () => [...(await read).value!]);
    client.close();
    server.close();
  },
);

onBoth(
  "an end of file within an element of the reader's view fails its read",
  async (net, say) => {
    const [client, server] = await pair(net);
    await server.write(bytes(1, 2, 3));
    const reader = client.readable.getReader({ mode: "byob" });
    reader.closed.catch(() => {}); // It is asked for below.
    await say("whole element", async () => {
      return (await reader.read(new Uint16Array(4))).value?.length;
    });
    const pending = reader.read(new Uint16Array(4));
    server.close();
    await say("half of an element", () => pending);
    await say("closed", () => reader.closed);
    await say("close", () => client.close());
  },
);

onBoth("both branches of a `readable` get all bytes", async (net, say) => {
  const [client, server] = await pair(net);
  const branches = server.readable.tee();
  await client.write(bytes(1, 2, 3));
  await client.closeWrite();
  for (const branch of branches) {
    await say("branch", async () => [
      ...new Uint8Array(await new Response(branch).arrayBuffer()),
    ]);
  }
  client.close();
});

onBoth("a cancelled `readable` closes the connection", async (net, say) => {
  const [client, server] = await pair(net);
  await client.readable.cancel("enough");
  await say("write", () => client.write(bytes(1)));
  await say("close", () => client.close());
  server.close();
});

onBoth("a closed `writable` closes the connection", async (net, say) => {
  const [client, server] = await pair(net);
  const writer = client.writable.getWriter();
  await writer.write(bytes(1, 2, 3));
  await writer.close();
  await say("read", () => client.read(bytes(0)));
  await say("write", () => client.write(bytes(0)));
  await say("close", () => client.close());
  await say("peer's read", () => server.read(new Uint8Array(5)));
  await say("peer's next read", () => server.read(new Uint8Array(5)));
  server.close();
});

onBoth("an aborted `writable` closes the connection", async (net, say) => {
  const [client, server] = await pair(net);
  await client.writable.getWriter().abort("enough");
  await say("write", () => client.write(bytes(1)));
  await say("close", () => client.close());
  server.close();
});

onBoth("streams carry megabytes, in order", async (net, say) => {
  const [client, server] = await pair(net);
  const sent = Uint8Array.from({ length: 3_000_000 }, (_, i) => i * 31 % 251);
  const sending = new Blob([sent]).stream().pipeTo(client.writable);
  await say("bytes", async () => {
    const received = new Uint8Array(
      await new Response(server.readable).arrayBuffer(),
    );
    return [
      received.length,
      received.every((byte, i) => byte === sent[i]),
    ];
  });
  await sending;
});

onBoth("one accept() waits at a time", async (net, say) => {
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const pending = listener.accept();
  await say("second accept", () => listener.accept());
  listener.close();
  await say("pending accept", () => pending);
  await say("accept", () => listener.accept());
  await say("close", () => listener.close());
  await say("dispose", () => listener[Symbol.dispose]());
  await say("transport", () => listener.addr.transport);
});

onBoth(
  "`for await` over a listener ends when it is closed",
  async (net, say) => {
    const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    await say("connections", async () => {
      const client = await net.connect({ hostname: "127.0.0.1", port });
      let count = 0;
      for await (const conn of listener) {
        count++;
        conn.close();
        listener.close();
      }
      client.close();
      return count;
    });
  },
);

onBoth("`break` out of a listener closes it", async (net, say) => {
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const client = await net.connect({ hostname: "127.0.0.1", port });
  for await (const conn of listener) {
    conn.close();
    break;
  }
  await say("accept", () => listener.accept());
  await say("close", () => listener.close());
  await say("connect", () => net.connect({ hostname: "127.0.0.1", port }));
  client.close();
});

onBoth(
  "a listener's iterator can be ended while it waits",
  async (net, say) => {
    const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
    const iterator = listener[Symbol.asyncIterator]();
    const next = iterator.next();
    await say("second next", () => iterator.next());
    await say("return", async () => (await iterator.return!()).done);
    await say("next", () => next);
    await say("next after it", () => iterator.next());
    await say("return again", () => iterator.return!());
  },
);

onBoth("a failed connect or bind has the same error", async (net, say) => {
  const taken = net.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  await say("taken port", () => net.listen({ hostname: "127.0.0.1", port }));
  taken.close();
  const hostname = "127.0.0.1";
  await say("refused", () => net.connect({ hostname, port }));
  await say("no such path", () => {
    return net.connect({ transport: "unix", path: "/nonexistent/socket" });
  });
}, NOT_DENO_OF_WINDOWS);

onBoth("an aborted signal is the connect's error", async (net, say) => {
  const signal = AbortSignal.abort(new Error("why not"));
  const hostname = "127.0.0.1";
  await say("connect", () => net.connect({ hostname, port: 9, signal }));
});

onBoth("Unix sockets have paths for addresses", async (net, say) => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/socket`;
  const listener = net.listen({ transport: "unix", path });
  const [client, server] = await Promise.all([
    net.connect({ transport: "unix", path }),
    listener.accept(),
  ]);
  await say(
    "client",
    () => [client.localAddr.path, client.remoteAddr.transport],
  );
  await say(
    "server",
    () => [server.localAddr.transport, server.remoteAddr.path],
  );
  await say("path", () => client.remoteAddr.path === path);
  client.close();
  server.close();
  listener.close();
  await Deno.remove(directory, { recursive: true });
}, NEEDS_UNIX_SOCKETS);

test("reactor.net: is assignable to the listen and connect of Deno", async () => {
  await using reactor = new Reactor();
  const network: Pick<typeof Deno, "listen" | "connect"> = reactor.net;
  const vsock = { transport: "vsock", cid: 2, port: 1 } as const;
  assertThrows(() => network.listen(vsock), Deno.errors.NotSupported, "vsock");
  await assertRejects(
    () => network.connect(vsock),
    Deno.errors.NotSupported,
    "vsock",
  );
});
