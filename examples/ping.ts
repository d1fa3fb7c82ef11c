// Pings several hosts at once: sends ICMP echo requests (RFC 792), and prints the time of
// each round trip. Deno has no ICMP socket, so the program opens one by a call of its own.
//
//     deno run --allow-ffi examples/ping.ts 127.0.0.1 192.0.2.1 --count 3
//
// The system must permit it: on Linux your group in net.ipv4.ping_group_range, or root.
//
// Without --count it continues until Ctrl-C.

import { isIPv4 } from "node:net";
import { parseArgs } from "node:util";
import { bindCalls } from "../backends/ffi/calls.ts";
import { type InternetAddress, Reactor, Socket } from "../mod.ts";
import { main, orRefuse, report } from "./command_line.ts";

/** The interval of requests, and how long an answer may take, in milliseconds. */
const INTERVAL = 1000;

/** <sys/socket.h> and <netinet/in.h> of Linux, macOS and the BSDs. */
const AF_INET = 2, SOCK_DGRAM = 2, SOCK_RAW = 3, IPPROTO_ICMP = 1;

/** RFC 792. */
const ECHO_REQUEST = 8, ECHO_REPLY = 0, HEADER_BYTES = 8;

/** The data of our requests: raw sockets also receive answers to other programs. */
const token = crypto.getRandomValues(new Uint8Array(16));

const c = bindCalls({
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
});

interface Options {
  readonly hosts: readonly string[];
  readonly count: number;
}

function parse(): Options {
  const { values, positionals: hosts } = parseArgs({
    allowPositionals: true,
    options: { count: { type: "string", default: "Infinity" } },
  });
  const count = Number(values.count);
  const wrong = hosts.find((host) => !isIPv4(host));
  if (wrong !== undefined) {
    throw new TypeError(
      `Cannot ping "${wrong}": it must be an address like 127.0.0.1`,
    );
  }
  const isCount = count === Infinity || Number.isInteger(count) && count > 0;
  if (hosts.length === 0 || !isCount) {
    throw new TypeError("Usage: ping.ts [--count N] ADDRESS...");
  }
  return { hosts, count };
}

/** Opens an ICMP socket for users, or else a raw one for root. */
function open(): Socket {
  try {
    return Socket.adopt(c.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    return Socket.adopt(c.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  }
}

function request(sequence: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + token.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, ECHO_REQUEST);
  view.setUint16(6, sequence);
  bytes.set(token, HEADER_BYTES);
  view.setUint16(2, checksum(view));
  return bytes;
}

/** The complement of the sum of all 16-bit words, with carries added (RFC 1071). */
function checksum(view: DataView): number {
  let sum = 0;
  for (let at = 0; at < view.byteLength; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** The sequence number of an answer; null if it is not one to this program. */
function sequenceOf(packet: Uint8Array): number | null {
  // Raw sockets, and all sockets of macOS, also return the IPv4 header.
  const isHeader = packet[0]! >> 4 === 4;
  const bytes = packet.subarray(isHeader ? (packet[0]! & 15) * 4 : 0);
  const data = bytes.subarray(HEADER_BYTES);
  const isOurs = bytes[0] === ECHO_REPLY && data.length === token.length &&
    token.every((byte, index) => byte === data[index]);
  return isOurs ? bytes[6]! << 8 | bytes[7]! : null;
}

/** Sends a request to each host in each interval, and prints answers. */
class Pinger {
  readonly #reactor: Reactor;
  readonly #socket: Socket;
  readonly #options: Options;
  readonly #buffer = new Uint8Array(1500);
  /** When each request was sent that has no answer yet, by address and number. */
  readonly #pending = new Map<string, number>();
  #sequence = 0;

  constructor(reactor: Reactor, socket: Socket, options: Options) {
    this.#reactor = reactor;
    this.#socket = socket;
    this.#options = options;
    reactor.addReader(socket, () => this.#receive());
    this.#startRound();
  }

  #startRound(): void {
    for (const name of this.#pending.keys()) console.log(`${name}, no answer`);
    this.#pending.clear();
    if (this.#sequence === this.#options.count) return this.#reactor.stop();
    this.#sequence++;
    this.#reactor.callLater(INTERVAL, () => this.#startRound());
    for (const host of this.#options.hosts) this.#send(host);
  }

  #send(hostname: string): void {
    const sequence = this.#sequence & 0xffff;
    this.#pending.set(`${hostname}: seq ${sequence}`, performance.now());
    try {
      this.#socket.sendTo(request(sequence), { hostname, port: 0 });
    } catch (error) {
      // One host without a route does not end the others.
      report(error);
    }
  }

  #receive(): void {
    for (let from; (from = this.#socket.recvFrom(this.#buffer)) !== null;) {
      const sequence = sequenceOf(this.#buffer.subarray(0, from.bytes));
      const { hostname } = from.address as InternetAddress;
      const name = `${hostname}: seq ${sequence}`;
      const sent = this.#pending.get(name);
      if (sent === undefined) continue;
      this.#pending.delete(name);
      console.log(`${name}, ${(performance.now() - sent).toFixed(3)} ms`);
    }
    const isLast = this.#sequence === this.#options.count;
    if (isLast && this.#pending.size === 0) this.#reactor.stop();
  }
}

await main(() => {
  const options = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  using socket = open();
  new Pinger(reactor, socket, options);
  reactor.run();
});
