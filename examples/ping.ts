// Pings several hosts at once: sends ICMP echo requests (RFC 792, RFC 4443), and prints the
// time of each round trip. Deno has no ICMP socket.
//
//     deno run --allow-ffi examples/ping.ts 127.0.0.1 ::1 192.0.2.1 --count 3
//
// The system must permit it: on Linux your group in net.ipv4.ping_group_range, or root.
//
// Without --count it continues until Ctrl-C.

import { isIP, isIPv6 } from "node:net";
import { parseArgs } from "node:util";
import { Reactor, Socket } from "../mod.ts";
import { main, orRefuse, report } from "./command_line.ts";

/** The interval of requests, and how long an answer may take, in milliseconds. */
const INTERVAL = 1000;

/** The two versions of ICMP: <netinet/in.h>, RFC 792, RFC 4443. */
const ICMP = {
  IPv4: { protocol: 1, request: 8, reply: 0 },
  IPv6: { protocol: 58, request: 128, reply: 129 },
} as const;

type Version = keyof typeof ICMP;

const HEADER_BYTES = 8;

/**
 * The data of our requests, which the number of a host follows. Raw sockets also receive
 * answers to other programs.
 */
const token = crypto.getRandomValues(new Uint8Array(16));

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
  const wrong = hosts.find((host) => isIP(host) === 0);
  if (wrong !== undefined) {
    throw new TypeError(
      `Cannot ping "${wrong}": it must be an address like 127.0.0.1 or ::1`,
    );
  }
  const isCount = count === Infinity || Number.isInteger(count) && count > 0;
  if (hosts.length === 0 || !isCount) {
    throw new TypeError("Usage: ping.ts [--count N] ADDRESS...");
  }
  return { hosts, count };
}

/** Opens an ICMP socket for users, or else a raw one for root. */
function open(version: Version): Socket {
  const { protocol } = ICMP[version];
  try {
    return Socket.create(version, "datagram", protocol) as Socket;
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    return Socket.create(version, "raw", protocol) as Socket;
  }
}

/** A request to a host, by its place in the command line. */
function request(
  version: Version,
  sequence: number,
  host: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + token.length + 2);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, ICMP[version].request);
  view.setUint16(6, sequence);
  bytes.set(token, HEADER_BYTES);
  view.setUint16(HEADER_BYTES + token.length, host);
  // The checksum of ICMPv6 includes IPv6 addresses: the kernel sets it.
  if (version === "IPv4") view.setUint16(2, checksum(view));
  return bytes;
}

/** The complement of the sum of all 16-bit words, with carries added (RFC 1071). */
function checksum(view: DataView): number {
  let sum = 0;
  for (let at = 0; at < view.byteLength; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

interface Answer {
  readonly sequence: number;
  readonly host: number;
}

/** Reads an answer; null if it is not one to this program. */
function answerIn(
  version: Version,
  packet: Uint8Array<ArrayBuffer>,
): Answer | null {
  // IPv4 raw sockets, and all those of macOS, also return the IPv4 header.
  const isHeader = version === "IPv4" && packet[0]! >> 4 === 4;
  const bytes = packet.subarray(isHeader ? (packet[0]! & 15) * 4 : 0);
  const data = bytes.subarray(HEADER_BYTES);
  const isOurs = bytes[0] === ICMP[version].reply &&
    data.length === token.length + 2 &&
    token.every((byte, index) => byte === data[index]);
  if (!isOurs) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    sequence: view.getUint16(6),
    host: view.getUint16(HEADER_BYTES + token.length),
  };
}

/** Sends a request to each host in each interval, and prints answers. */
class Pinger {
  readonly #reactor: Reactor;
  readonly #options: Options;
  readonly #sockets = new Map<Version, Socket>();
  readonly #buffer = new Uint8Array(1500);
  /** When each request of this round was sent that has no answer yet, by host. */
  readonly #pending = new Map<number, number>();
  #sequence = 0;

  constructor(reactor: Reactor, options: Options) {
    this.#reactor = reactor;
    this.#options = options;
    this.#startRound();
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
  }

  #startRound(): void {
    for (const host of this.#pending.keys()) {
      console.log(`${this.#nameOf(host)}, no answer`);
    }
    this.#pending.clear();
    if (this.#sequence === this.#options.count) return this.#reactor.stop();
    this.#sequence++;
    this.#reactor.callLater(INTERVAL, () => this.#startRound());
    this.#options.hosts.forEach((hostname, host) => this.#send(hostname, host));
  }

  #send(hostname: string, host: number): void {
    const version = isIPv6(hostname) ? "IPv6" : "IPv4";
    const socket = this.#socketOf(version);
    const sequence = this.#sequence & 0xffff;
    this.#pending.set(host, performance.now());
    try {
      socket.sendTo(request(version, sequence, host), { hostname, port: 0 });
    } catch (error) {
      // One host without a route does not end the others.
      report(error);
    }
  }

  /** The socket of a version, which is opened for its first host. */
  #socketOf(version: Version): Socket {
    let socket = this.#sockets.get(version);
    if (socket === undefined) {
      const opened = socket = open(version);
      this.#sockets.set(version, opened);
      this.#reactor.addReader(opened, () => this.#receive(version, opened));
    }
    return socket;
  }

  #receive(version: Version, socket: Socket): void {
    for (let count; (count = socket.recv(this.#buffer)) > 0;) {
      const packet = this.#buffer.subarray(0, count);
      const answer = answerIn(version, packet);
      if (answer?.sequence !== (this.#sequence & 0xffff)) continue;
      const sent = this.#pending.get(answer.host);
      if (sent === undefined) continue;
      this.#pending.delete(answer.host);
      const time = (performance.now() - sent).toFixed(3);
      console.log(`${this.#nameOf(answer.host)}, ${time} ms`);
    }
    const isLast = this.#sequence === this.#options.count;
    if (isLast && this.#pending.size === 0) this.#reactor.stop();
  }

  #nameOf(host: number): string {
    return `${this.#options.hosts[host]}: seq ${this.#sequence & 0xffff}`;
  }
}

await main(() => {
  const options = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  const pinger = new Pinger(reactor, options);
  reactor.run();
  pinger.close();
});
