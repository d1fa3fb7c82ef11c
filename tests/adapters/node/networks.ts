/**
 * The same server of Node on two networks: on a reactor, and on Deno's own sockets. The
 * tests compare the results.
 */

import { assertEquals } from "@std/assert";
import type { Server, Socket } from "node:net";
import net from "node:net";
import {
  attach,
  type AttachOptions,
  type ConnectionDuplex,
  createConnection,
  type CreateConnectionOptions,
} from "../../../adapters/node/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { PATIENCE, test, type TestOptions } from "../../util.ts";
import { Peer } from "./peer.ts";

/** A connection on either network: the members that tests use. */
export type AnySocket = Socket | ConnectionDuplex;

/** Where servers listen, and clients connect. */
export interface Network {
  /** Its name in messages. */
  readonly name: string;
  /** Starts a server on a port of 127.0.0.1, which is returned. */
  listen(server: Server, options?: Partial<AttachOptions>): Promise<number>;
  /** Starts a server on a path. */
  listenAt(server: Server, path: string): Promise<void>;
  /** Connects. */
  connect(options: CreateConnectionOptions): AnySocket;
}

/** Servers on a reactor, which serves until the end of the scope. */
export class Bridge implements Network, AsyncDisposable {
  readonly name: string = "bridge";
  readonly reactor: Reactor = new Reactor();

  constructor() {
    void this.reactor.serve();
  }

  listen(
    server: Server,
    options: Partial<AttachOptions> = {},
  ): Promise<number> {
    const address = { hostname: "127.0.0.1", port: 0, ...options };
    const acceptor = attach(server, this.reactor, address);
    return listening(server, (acceptor.address as { port: number }).port);
  }

  listenAt(server: Server, path: string): Promise<void> {
    attach(server, this.reactor, { path });
    return listening(server, undefined);
  }

  connect(options: CreateConnectionOptions): ConnectionDuplex {
    return createConnection(this.reactor, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reactor[Symbol.asyncDispose]();
  }
}

/** The same on Deno's own sockets. */
const nodeNetwork: Network = {
  name: "node",
  async listen(server): Promise<number> {
    server.listen(0, "127.0.0.1");
    await listening(server, undefined);
    return (server.address() as { port: number }).port;
  },
  listenAt(server, path): Promise<void> {
    server.listen(path);
    return listening(server, undefined);
  },
  connect: ({ hostname, ...options }): Socket =>
    net.connect({ host: hostname, ...options } as net.NetConnectOpts),
};

/** Defines a test of the bridge alone, where Deno's own sockets differ from Node's. */
export function onBridge(
  name: string,
  body: (bridge: Bridge) => Promise<unknown>,
  expected: unknown,
  options: TestOptions = {},
): void {
  test(name, async () => {
    await using bridge = new Bridge();
    const result = await runOn(bridge, () => body(bridge));
    assertEquals(result, expected);
  }, options);
}

/** The sockets that servers have accepted. */
const accepted = new WeakMap<Server, Set<Socket>>();

function listening<T>(server: Server, result: T): Promise<T> {
  const sockets = new Set<Socket>();
  accepted.set(server, sockets);
  server.on("connection", (socket) => sockets.add(socket));
  return new Promise((resolve, reject) => {
    server.once("listening", () => resolve(result));
    server.once("error", reject);
  });
}

/** Defines a test that runs a body on both networks, and compares its results. */
export function onBoth(
  name: string,
  body: (network: Network) => Promise<unknown>,
  expected?: unknown,
  options: TestOptions = {},
): void {
  test(name, async () => {
    const node = await runOn(nodeNetwork, body);
    await using bridge = new Bridge();
    const result = await runOn(bridge, body);
    assertEquals(result, node, "bridge, node");
    if (expected !== undefined) assertEquals(result, expected);
  }, options);
}

/** Runs a body on a network, in time. Its peers are closed in any case. */
async function runOn(
  network: Network,
  body: (network: Network) => Promise<unknown>,
): Promise<unknown> {
  try {
    return await inTime(body(network), network.name);
  } finally {
    Peer.closeAll();
  }
}

/** Fails when a body does not end. */
export async function inTime<T>(body: Promise<T>, name: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Waited in vain on the network ${name}`)),
    PATIENCE,
  );
  try {
    return await Promise.race([body, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Closes a server; resolves at its "close". */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => error ? reject(error) : resolve());
  });
}

/** Destroys the connections of a server, and closes it. */
export function stop(server: Server): Promise<void> {
  const end = closed(server);
  for (const socket of accepted.get(server)!) socket.destroy();
  return end;
}
