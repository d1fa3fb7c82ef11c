// Five of the oldest services of the Internet, over TCP and UDP: ten sockets, one thread.
// A scenario of step 12 of docs/io_multiplexing.md.
//
//     deno run --allow-ffi examples/services.ts --base-port 8000
//
// Ports are counted from the base port: those below 1024 are for root. Then:
//
//     nc 127.0.0.1 8007                      echo, RFC 862: returns all data
//     nc 127.0.0.1 8009                      discard, RFC 863: ignores all data
//     nc 127.0.0.1 8013 < /dev/null          daytime, RFC 867: date and time as text
//     nc 127.0.0.1 8019 < /dev/null | head   chargen, RFC 864: lines without end
//     nc 127.0.0.1 8037 < /dev/null | xxd    time, RFC 868: seconds as four bytes
//     nc -u 127.0.0.1 8013                   over UDP each answers a message

import { parseArgs } from "node:util";
import {
  type Connection,
  formatAddress,
  type InternetAddress,
  Reactor,
} from "../mod.ts";
import {
  type CommandLine,
  HOST,
  main,
  orRefuse,
  parseHost,
  parsePort,
  report,
} from "./command_line.ts";
import { INSPECT, runOrInspect } from "./inspector/option.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface Service {
  readonly name: string;
  readonly port: number;
  /** Called with each TCP connection. */
  readonly serve: (connection: Connection) => void;
  /** Returns the answer to a datagram, or null. */
  readonly answer: (message: Bytes) => Bytes | null;
}

const SERVICES: readonly Service[] = [
  { name: "echo", port: 7, serve: echo, answer: (message) => message },
  { name: "discard", port: 9, serve: discard, answer: () => null },
  { name: "daytime", port: 13, serve: sendOnce(daytime), answer: daytime },
  { name: "chargen", port: 19, serve: generate, answer: randomPart },
  { name: "time", port: 37, serve: sendOnce(time), answer: time },
];

/** The 95 printable characters, twice: a line begins with one of the first 95. */
const CHARACTERS = String.fromCharCode(
  ...Array.from({ length: 95 }, (_, index) => 32 + index),
).repeat(2);

/** 95 lines of 72 characters, each of which begins one character later. */
const PAGE = new TextEncoder().encode(
  Array.from(
    CHARACTERS.slice(0, 95),
    (_, first) => `${CHARACTERS.slice(first, first + 72)}\r\n`,
  ).join(""),
);

/** Seconds from 1900, the epoch of RFC 868, to 1970, the epoch of `Date`. */
const SECONDS_TO_1970 = 2_208_988_800;

function echo(connection: Connection): void {
  connection.onData = (chunk) => {
    if (!connection.write(chunk)) connection.pause();
  };
  connection.onDrain = () => connection.resume();
}

function discard(connection: Connection): void {
  connection.onData = () => {};
}

/** Sends an answer and ends. Data of the peer is read, since unread data causes a reset. */
function sendOnce(answer: () => Bytes): (connection: Connection) => void {
  return (connection) => {
    discard(connection);
    connection.end(answer());
  };
}

/** Sends a page whenever there is room: one in each iteration, if the peer reads. */
function generate(connection: Connection): void {
  discard(connection);
  const writePage = (): void => {
    if (connection.closed) return;
    connection.write(PAGE);
    connection.whenWritable(writePage);
  };
  writePage();
}

function daytime(): Bytes {
  return new TextEncoder().encode(`${new Date().toUTCString()}\r\n`);
}

/** Seconds since 1900 in 32 bits, which overflow in 2036. */
function time(): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, Date.now() / 1000 + SECONDS_TO_1970);
  return bytes;
}

/**
 * Up to 512 characters, at random (RFC 864). An answer larger than its request can be
 * abused for amplification: do not offer this service on the Internet.
 */
function randomPart(): Bytes {
  return PAGE.subarray(0, Math.floor(Math.random() * 513));
}

function open(reactor: Reactor, service: Service, base: InternetAddress): void {
  const address = { ...base, port: base.port + service.port };
  reactor.listen(address, service.serve);
  const datagrams = reactor.datagram(address);
  datagrams.onMessage = (message, sender) => {
    if (isServed(sender.port, base)) return;
    const answer = service.answer(message);
    if (answer !== null && !datagrams.send(answer, sender)) datagrams.pause();
  };
  datagrams.onDrain = () => datagrams.resume();
  // If one sender cannot be answered, the others still are.
  datagrams.onError = report;
  console.log(`Server start at: ${formatAddress(address)} (${service.name})`);
}

/** Whether a sender could be such a service: two of them would answer each other for ever. */
function isServed(port: number, base: InternetAddress): boolean {
  return port < 1024 ||
    SERVICES.some((service) => base.port + service.port === port);
}

/** The address to listen on, with the base port. */
function parse(): CommandLine {
  const { values } = parseArgs({
    options: {
      host: { type: "string", default: HOST },
      "base-port": { type: "string", default: "8000" },
      ...INSPECT,
    },
  });
  const base = parsePort(values["base-port"]);
  for (const { port } of SERVICES) parsePort(String(base + port));
  const { inspect } = values;
  return {
    address: { hostname: parseHost(values.host), port: base },
    values: { inspect },
  };
}

await main(async () => {
  const { address: base, values } = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  for (const service of SERVICES) open(reactor, service, base);
  await runOrInspect(reactor, values);
});
