// Five of the oldest services of the Internet, over TCP and UDP: ten sockets, one thread.
//
//     deno run --allow-ffi examples/services.ts --base-port 8000
//
// Their ports are counted from the base port, so that nobody has to be root. Then:
//
//     nc 127.0.0.1 8007                      echo, RFC 862: what is sent comes back
//     nc 127.0.0.1 8009                      discard, RFC 863: nothing does
//     nc 127.0.0.1 8013 < /dev/null          daytime, RFC 867: for people
//     nc 127.0.0.1 8019 < /dev/null | head   chargen, RFC 864: lines without end
//     nc 127.0.0.1 8037 < /dev/null | xxd    time, RFC 868: for machines
//     nc -u 127.0.0.1 8013                   over UDP each waits for a message first

import { parseArgs } from "node:util";
import {
  type Connection,
  formatAddress,
  type InternetAddress,
  Reactor,
} from "../mod.ts";
import {
  HOST,
  main,
  orRefuse,
  parseHost,
  parsePort,
  report,
} from "./command_line.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface Service {
  readonly name: string;
  readonly port: number;
  /** What it does with a TCP connection. */
  readonly serve: (connection: Connection) => void;
  /** What it answers to a datagram, if anything. */
  readonly answer: (message: Bytes) => Bytes | null;
}

const SERVICES: readonly Service[] = [
  { name: "echo", port: 7, serve: echo, answer: (message) => message },
  { name: "discard", port: 9, serve: discard, answer: () => null },
  { name: "daytime", port: 13, serve: tell(daytime), answer: daytime },
  { name: "chargen", port: 19, serve: generate, answer: randomPart },
  { name: "time", port: 37, serve: tell(time), answer: time },
];

/** The 95 characters that can be printed, twice: a line begins anywhere in the first 95. */
const CHARACTERS = String.fromCharCode(
  ...Array.from({ length: 95 }, (_, index) => 32 + index),
).repeat(2);

/** 95 lines of 72 characters, each begun one character later; then the first line is next. */
const PAGE = new TextEncoder().encode(
  Array.from(
    CHARACTERS.slice(0, 95),
    (_, first) => `${CHARACTERS.slice(first, first + 72)}\r\n`,
  ).join(""),
);

/** Seconds from 1900, when RFC 868 begins to count, to 1970, when computers do. */
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

/** Says one thing and ends; what the peer says is heard to its end, lest it be reset. */
function tell(answer: () => Bytes): (connection: Connection) => void {
  return (connection) => {
    discard(connection);
    connection.end(answer());
  };
}

/** A page whenever there is room: none for who does not read, and one a turn for who does. */
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

/** The 32 bits are full in 2036, and then begin anew. */
function time(): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, Date.now() / 1000 + SECONDS_TO_1970);
  return bytes;
}

/** RFC 864: a random number of characters, up to 512. More than was asked: not for the open net. */
function randomPart(): Bytes {
  return PAGE.subarray(0, Math.floor(Math.random() * 513));
}

function open(reactor: Reactor, service: Service, base: InternetAddress): void {
  const address = { ...base, port: base.port + service.port };
  reactor.listen(address, service.serve);
  const datagrams = reactor.datagram(address);
  datagrams.onMessage = (message, sender) => {
    if (isServed((sender as InternetAddress).port, base)) return;
    const answer = service.answer(message);
    if (answer !== null && !datagrams.send(answer, sender)) datagrams.pause();
  };
  datagrams.onDrain = () => datagrams.resume();
  // A sender that cannot be answered is not the end of the others.
  datagrams.onError = report;
  console.log(`Server start at: ${formatAddress(address)} (${service.name})`);
}

/** Services that answer each other never stop, and one forged sender is enough to begin. */
function isServed(port: number, base: InternetAddress): boolean {
  return port < 1024 ||
    SERVICES.some((service) => base.port + service.port === port);
}

/** Where to listen; the port is the one from which the services' are counted. */
function parse(): InternetAddress {
  const { values } = parseArgs({
    options: {
      host: { type: "string", default: HOST },
      "base-port": { type: "string", default: "8000" },
    },
  });
  const base = parsePort(values["base-port"]);
  for (const { port } of SERVICES) parsePort(String(base + port));
  return { hostname: parseHost(values.host), port: base };
}

await main(() => {
  const base = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  for (const service of SERVICES) open(reactor, service, base);
  reactor.run();
});
