/**
 * Hostnames and ports: `reactor.net` and `reactor.datagram()` accept and refuse the
 * same as Deno, with the same effect.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { InternetAddress } from "../../backends/ffi/mod.ts";
import { Reactor } from "../../reactor/mod.ts";
import {
  NEEDS_UNIX_SOCKETS,
  ONLY_LINUX,
  test,
  type TestOptions,
} from "../util.ts";
import { onAnyBackend } from "./stage.ts";

const REFUSED = "refused";

/** Hostnames, each with the address of a listener and of a connection. */
const HOSTNAMES: readonly (readonly [
  given: unknown,
  listens: string,
  connects: string,
])[] = [
  [undefined, "0.0.0.0", "127.0.0.1"],
  [null, "0.0.0.0", "127.0.0.1"],
  ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
  ["0.0.0.0", "0.0.0.0", "127.0.0.1"],
  ["::1", "::1", "::1"],
  ["[::1]", "::1", "::1"],
  ["0:0:0:0:0:0:0:1", "::1", "::1"],
  ["::", "::", "::1"],
  ["[::]", "::", "::1"],
  ["::ffff:127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1"],
  ["[::FFFF:7F00:1]", "::ffff:127.0.0.1", "::ffff:127.0.0.1"],
  ["", REFUSED, REFUSED],
  ["[127.0.0.1]", REFUSED, REFUSED],
  ["[::1", REFUSED, REFUSED],
  ["::1]", REFUSED, REFUSED],
  ["::g", REFUSED, REFUSED],
  ["1::2::3", REFUSED, REFUSED],
  ["a b", REFUSED, REFUSED],
  ["127.0.0.1 ", REFUSED, REFUSED],
  ["127.0.0.1\0", REFUSED, REFUSED],
  ["fe80::1%nonexistent", REFUSED, REFUSED],
];

/** Names that are listened on without a resolver. */
const NAMES = ["localhost", "LocalHost"];

/** Malformed ports, and their errors. */
const BAD_PORTS: readonly (readonly [given: unknown, error: string])[] = [
  ["", "TypeError"],
  ["http", "TypeError"],
  ["80x", "TypeError"],
  [NaN, "TypeError"],
  [1.5, "TypeError"],
  [Infinity, "TypeError"],
  [true, "TypeError"],
  [-1, "RangeError"],
  [65536, "RangeError"],
  ["65536", "RangeError"],
];

/** The calls of both networks, for arguments that no type admits. */
interface Network {
  listen(options: object): Disposable & { readonly addr: Deno.NetAddr };
  connect(
    options: object,
  ): Promise<Disposable & { readonly remoteAddr: Deno.NetAddr }>;
}

async function nameOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return "taken";
  } catch (error) {
    return (error as Error).name;
  }
}

async function hostnameOr(action: () => unknown): Promise<string> {
  try {
    return await action() as string;
  } catch {
    return REFUSED;
  }
}

async function listens(network: Network, options: object): Promise<string> {
  return await hostnameOr(() => {
    using listener = network.listen(options);
    return listener.addr.hostname;
  });
}

async function connects(network: Network, options: object): Promise<string> {
  return await hostnameOr(async () => {
    using conn = await network.connect(options);
    return conn.remoteAddr.hostname;
  });
}

/** Hostnames that Deno passes on to Winsock, which refuses them. */
const REFUSED_BY_WINSOCK = {
  listen: /ffff/i,
  connect: /ffff|^0\.0\.0\.0$|^\[?::\]?$/i,
} as const;

/** The options of a test of Deno itself with a hostname. */
function takenByDeno(
  call: keyof typeof REFUSED_BY_WINSOCK,
  hostname: unknown,
): TestOptions {
  return {
    ignore: Deno.build.os === "windows" &&
      REFUSED_BY_WINSOCK[call].test(String(hostname)),
    reason: "Winsock refuses this address, and so does Deno",
  };
}

function onBoth(
  name: string,
  body: (network: Network) => Promise<void>,
  ofDeno: TestOptions = {},
): void {
  test(`Deno: ${name}`, () => body(Deno as unknown as Network), ofDeno);
  test(`reactor.net: ${name}`, async () => {
    await using reactor = new Reactor();
    reactor.serve();
    await body(reactor.net as unknown as Network);
  });
}

/** Two listeners of Deno on one port, IPv4 and IPv6, to connect to. */
function targets(): DisposableStack & { readonly port: number } {
  const stack = new DisposableStack();
  const ipv4 = stack.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const { port } = ipv4.addr;
  stack.use(Deno.listen({ hostname: "::1", port }));
  return Object.assign(stack, { port });
}

for (const [given, listened, connected] of HOSTNAMES) {
  const shown = JSON.stringify(given) ?? "none";

  onBoth(`hostname ${shown} is listened on as ${listened}`, async (network) => {
    const options = { hostname: given, port: 0 };
    assertEquals(await listens(network, options), listened);
  }, takenByDeno("listen", given));

  onBoth(
    `hostname ${shown} is connected to as ${connected}`,
    async (network) => {
      using target = targets();
      const options = { hostname: given, port: target.port };
      assertEquals(await connects(network, options), connected);
    },
    takenByDeno("connect", given),
  );

  onAnyBackend(
    `hostname ${shown} is a datagram socket's as ${listened}`,
    async ({ reactor }) => {
      const options = { hostname: given as string, port: 0 };
      const actual = await hostnameOr(() => {
        using datagram = reactor.datagram(options);
        return datagram.address.hostname;
      });
      assertEquals(actual, listened);
    },
  );
}

for (const hostname of NAMES) {
  onBoth(`${hostname} is listened on as 127.0.0.1`, async (network) => {
    assertEquals(await listens(network, { hostname, port: 0 }), "127.0.0.1");
  });
}

for (const [port, error] of BAD_PORTS) {
  const shown = typeof port === "string" ? JSON.stringify(port) : port;

  onBoth(`port ${shown} is a ${error}`, async (network) => {
    const options = { hostname: "127.0.0.1", port };
    assertEquals(
      await nameOf(() => network.listen(options)[Symbol.dispose]()),
      error,
    );
    assertEquals(
      await nameOf(async () => {
        (await network.connect(options))[Symbol.dispose]();
      }),
      error,
    );
  });
}

onBoth("port 0 cannot be connected to", async (network) => {
  assertEquals(await nameOf(() => network.connect({ port: 0 })), "RangeError");
});

onBoth("a port may be decimal text", async (network) => {
  using target = targets();
  const port = String(target.port);
  const hostname = "127.0.0.1";
  assertEquals(await connects(network, { hostname, port }), hostname);
  assertEquals(await listens(network, { hostname, port: "0" }), hostname);
});

onAnyBackend(
  "Reactor.datagram: a link-local address may name its interface",
  async (stage) => {
    const { reactor } = stage;
    const path = "/sys/class/net/lo/ifindex";
    const number = Deno.readTextFileSync(path).trim();
    const [named, numbered] = ["lo", number].map((zone) =>
      nameOf(() => reactor.datagram({ hostname: `fe80::1%${zone}`, port: 0 }))
    );
    // Loopback has no such address. The system knows that only with the interface.
    assertEquals(await named, "AddrNotAvailable");
    assertEquals(await numbered, "AddrNotAvailable");
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Reactor.datagram: without a hostname, the socket has the domain of its peer",
  (stage) => {
    const { reactor } = stage;
    const peers = ["::1", "[::1]", "127.0.0.1", "localhost"].map((hostname) => {
      using peer = reactor.datagram({ hostname });
      const { port } = peer.address as InternetAddress;
      return { hostname, port };
    });
    const hostnames = peers.map((remoteAddress) => {
      using datagram = reactor.datagram({ remoteAddress });
      return datagram.address.hostname;
    });
    assertEquals(hostnames, ["::1", "::1", "127.0.0.1", "127.0.0.1"]);
    const path = stage.path();
    using server = reactor.datagram({ path });
    using client = reactor.datagram({ remoteAddress: { path } });
    assertEquals(client.socket.domain, server.socket.domain);
  },
  NEEDS_UNIX_SOCKETS,
);

test("reactor.net.connect: rejects if nothing runs the reactor", async () => {
  await using reactor = new Reactor();
  const port = 9;
  await assertRejects(
    () => reactor.net.connect({ hostname: "127.0.0.1", port }),
    Deno.errors.NotSupported,
    "serve()",
  );
  assertEquals(reactor.stats().registered, 0);
});

test("reactor.net.connect: may be called before serve()", async () => {
  using target = targets();
  await using reactor = new Reactor();
  const connecting = reactor.net.connect({ port: target.port });
  await Promise.resolve();
  reactor.serve();
  using conn = await connecting;
  assert(conn.remoteAddr.port === target.port);
});

onAnyBackend(
  "Reactor: options that are no object are a TypeError with an example",
  ({ reactor }) => {
    const calls: Record<string, (options: unknown) => unknown> = {
      listen: (options) => reactor.listen(options as { port: 0 }, () => {}),
      connect: (options) => reactor.connect(options as { port: 0 }),
      datagram: (options) => reactor.datagram(options as { port: 0 }),
    };
    for (const call of Object.values(calls)) {
      assertThrows(() => call(8001), TypeError, "write { port: 8001 }");
      assertThrows(() => call("/a"), TypeError, 'write { path: "/a" }');
      assertThrows(() => call(null), TypeError, "write { port: 8001 }");
    }
  },
);

onAnyBackend(
  "Reactor.listen: a callback that is no function is a TypeError",
  ({ reactor }) => {
    const nothing = undefined as unknown as () => void;
    assertThrows(() => reactor.listen({ port: 0 }, nothing), TypeError);
  },
);
