// One client, many servers: it asks all of them at once, and tells who answered what,
// in the order in which they did.
//
//     deno run --allow-ffi examples/many_servers_client.ts 127.0.0.1:8001 127.0.0.1:8013
//
// Before, in other terminals:
//
//     deno run --allow-ffi examples/reactor_server.ts
//     deno run --allow-ffi examples/services.ts
//
// --message says what is asked; who has not answered after two seconds is not waited for.

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
const PATIENCE = 2000;

/** Some servers never end: of an answer, this many bytes are listened to. */
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
      "Cannot ask nobody: give servers, as in 127.0.0.1:8001",
    );
  }
  return {
    servers: positionals.map(parseServer),
    message: new TextEncoder().encode(values.message),
  };
}

/** As formatAddress writes it: 127.0.0.1:8001, [::1]:8001. */
function parseServer(text: string): InternetAddress {
  const colon = text.lastIndexOf(":");
  const hostname = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  if (colon === -1) {
    throw new TypeError(
      `Cannot ask "${text}": a server is like 127.0.0.1:8001`,
    );
  }
  return {
    hostname: parseHost(hostname),
    port: parsePort(text.slice(colon + 1)),
  };
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
    tell(formatAddress(server), Uint8Array.from(answer), error);
  };
  // What is written before the connection stands is sent when it does.
  connection.end(message);
  return connection;
}

function tell(
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

function loseInterest(connection: Connection): void {
  connection.abort(new Deno.errors.TimedOut("No end within two seconds"));
}

await main(() => {
  const { servers, message } = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  const connections = servers.map((server) => ask(reactor, server, message));
  // Unreferenced: when all have answered, nobody waits for the time to be over.
  reactor.callLater(PATIENCE, () => connections.forEach(loseInterest)).unref();
  reactor.run();
});
