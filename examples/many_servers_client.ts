// One client, many servers: it asks all of them at once, and prints each answer when it is
// complete. A scenario of step 12 of docs/io_multiplexing.md.
//
//     deno run --allow-ffi examples/many_servers_client.ts 127.0.0.1:8001 127.0.0.1:8013
//
// First start the servers, in other terminals:
//
//     deno run --allow-ffi examples/reactor_server.ts
//     deno run --allow-ffi examples/services.ts
//
// --message is the text to send. After two seconds the client stops waiting.

import { parseArgs } from "node:util";
import {
  type Connection,
  formatAddress,
  type InternetAddress,
  Reactor,
} from "../mod.ts";
import {
  main,
  orRefuse,
  parseHost,
  parsePort,
  report,
} from "./command_line.ts";
import { bytesRepr } from "./python_notation.ts";

/** Milliseconds for all answers together. */
const TIMEOUT = 2000;

/** Maximum bytes of an answer: some servers never end. */
const LONGEST_ANSWER = 200;

interface Question {
  readonly servers: readonly InternetAddress[];
  readonly message: Uint8Array<ArrayBuffer>;
}

function parse(): Question {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { message: { type: "string", default: "Hello" } },
  });
  if (positionals.length === 0) {
    throw new TypeError(
      "Cannot ask without a server: give one like 127.0.0.1:8001",
    );
  }
  return {
    servers: positionals.map(parseServer),
    message: new TextEncoder().encode(values.message),
  };
}

/** Parses 127.0.0.1:8001 or [::1]:8001. */
function parseServer(text: string): InternetAddress {
  const colon = text.lastIndexOf(":");
  const hostname = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  if (colon === -1) {
    throw new TypeError(
      `Cannot ask "${text}": a server is like 127.0.0.1:8001`,
    );
  }
  const port = parsePort(text.slice(colon + 1));
  if (port === 0) throw new TypeError(`Cannot ask "${text}": no port is 0`);
  return { hostname: parseHost(hostname), port };
}

function ask(
  reactor: Reactor,
  server: InternetAddress,
  message: Uint8Array<ArrayBuffer>,
): Connection {
  const connection = reactor.connect(server);
  const answer: number[] = [];
  connection.onData = (chunk) => {
    answer.push(...chunk.subarray(0, LONGEST_ANSWER - answer.length));
    if (answer.length === LONGEST_ANSWER) connection.close();
  };
  connection.onClose = (error) => {
    print(formatAddress(server), Uint8Array.from(answer), error);
  };
  // Written data is sent as soon as the connection is established.
  connection.end(message);
  return connection;
}

function print(
  name: string,
  answer: Uint8Array,
  error: Error | undefined,
): void {
  if (error === undefined || answer.length > 0) {
    console.log(`${name} answered ${bytesRepr(answer)}`);
  }
  if (error !== undefined) {
    console.error(`${name}: ${error.message}`);
    Deno.exitCode = 1;
  }
}

function stopWaiting(connection: Connection): void {
  connection.abort(new Deno.errors.TimedOut("No end within two seconds"));
}

await main(() => {
  const { servers, message } = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  const connections = servers.map((server) => ask(reactor, server, message));
  // Unreferenced: run() returns without the timer when all servers have answered.
  reactor.callLater(TIMEOUT, () => connections.forEach(stopWaiting)).unref();
  reactor.run();
});
