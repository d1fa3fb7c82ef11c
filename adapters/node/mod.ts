/**
 * A reactor's connections as streams of Node. Servers of `node:http`, `node:https`,
 * `node:net` and `node:tls` listen on a reactor. Packages that take a `stream.Duplex`
 * or a `net.Socket`, such as drivers of databases, connect by it.
 *
 * Node's streams need Deno's event loop, so the reactor has to run by `serve()`.
 *
 * @example A server of `node:http` on a reactor
 * ```ts
 * import { createServer } from "node:http";
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { attach, createConnection } from "@pollux/reactor/node";
 * import { assertMatch } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * const server = createServer((_request, response) => response.end("hello"));
 * const { address } = attach(server, reactor, { hostname: "127.0.0.1", port: 0 });
 *
 * const client = createConnection(reactor, address);
 * client.write("GET / HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n");
 * let answer = "";
 * for await (const chunk of client) answer += chunk;
 * assertMatch(answer, /^HTTP\/1.1 200 OK\r\n[^]*hello/);
 * server.close();
 * ```
 *
 * @module
 */

export type { NodeAddress } from "./addresses.ts";
export { attach, type AttachOptions } from "./attach.ts";
export { ConnectionDuplex } from "./connection_duplex.ts";
export {
  createConnection,
  type CreateConnectionOptions,
} from "./create_connection.ts";
export type { ConnectionDuplexOptions } from "./duplex_options.ts";
