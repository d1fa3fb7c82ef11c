/**
 * Random datagrams, compared with plain sockets: a `Datagram` receives the messages of
 * recvfrom(2), and its replies are those of sendto(2). Each kind of socket, each set of
 * options; on loopback, and between network namespaces.
 */

import { assert, assertEquals } from "@std/assert";
import {
  formatAddress,
  Socket,
  type SocketAddress,
} from "../../backends/ffi/mod.ts";
import type { Datagram, DatagramOptions } from "../../reactor/mod.ts";
import {
  FIRST,
  noNamespaces,
  SECOND,
  vethPair,
} from "../network_namespaces.ts";
import { NEEDS_UNIX_DATAGRAMS, type Random, withSeed } from "../util.ts";
import { joined, onAnyBackend, type Stage } from "./stage.ts";

/** Where the sockets of a test are. */
interface Place {
  /** The address of a new server. */
  server(): SocketAddress;
  /** The address of a new client; null for a socket without a name. */
  client(): SocketAddress | null;
  /** How many messages wait at a socket at the most. */
  readonly most: number;
  /** Whether a client may send with segmentation. */
  readonly segments: boolean;
  /** Calls a function where servers are created, or clients. */
  atServers<T>(body: () => T): T;
  atClients<T>(body: () => T): T;
}

/** By default ten messages wait at a Unix socket (net.unix.max_dgram_qlen). */
const unix = { most: 9, segments: false };

const here = {
  atServers: <T>(body: () => T): T => body(),
  atClients: <T>(body: () => T): T => body(),
};

function internet(hostname: string): Place {
  const any = (): SocketAddress => ({ hostname, port: 0 });
  return { server: any, client: any, most: 40, segments: true, ...here };
}

/** The kinds of sockets, by name. */
const PLACES: Readonly<Record<string, (stage: Stage) => Place>> = {
  IPv4: () => internet("127.0.0.1"),
  IPv6: () => internet("::1"),
  "Unix, with paths": (stage) => ({
    server: () => ({ path: stage.path() }),
    client: () => ({ path: stage.path() }),
    ...unix,
    ...here,
  }),
  "Unix, without names": (stage) => ({
    server: () => ({ path: stage.path() }),
    client: () => null,
    ...unix,
    ...here,
  }),
};

/** Each set of options of a server. */
const WAYS: readonly DatagramOptions[] = [
  {},
  { offload: false },
  { reuseBuffer: true },
  { offload: true },
  { offload: true, reuseBuffer: true },
];

/** A message and its other end, as text: easy to compare, and to read in a failure. */
function lineOf(data: Uint8Array, address: SocketAddress | null): string {
  let hash = 0;
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  const peer = address === null ? "" : ` ${formatAddress(address)}`;
  return `${data.length} bytes ${hash.toString(16)}${peer}`;
}

const buffer = new Uint8Array(new ArrayBuffer(128 * 1024));

/** So many messages that arrive at a plain socket: on a busy machine not at once. */
function take(stage: Stage, socket: Socket, count: number): string[] {
  const lines: string[] = [];
  stage.until(() => {
    for (;;) {
      const message = socket.recvFrom(buffer);
      if (message === null) return lines.length >= count;
      const data = buffer.subarray(0, message.bytes);
      lines.push(lineOf(data, message.address));
    }
  }, `${count} messages at a plain socket`);
  return lines;
}

/** A plain socket at a place. */
function plain(stage: Stage, address: SocketAddress | null): Socket {
  const socket = stage.use(
    address === null
      ? Socket.create("unix", "datagram")
      : Socket.createFor(address, "datagram"),
  );
  if (address !== null) socket.bind(address);
  return socket;
}

/** A server with random callbacks, and the lines of its messages. */
class Subject {
  readonly lines: string[] = [];
  readonly datagram: Datagram;
  /** Whether it sends each message back. */
  echoes = false;

  constructor(datagram: Datagram, random: Random, segments: boolean) {
    this.datagram = datagram;
    datagram.onMessage = (data, address) => {
      this.lines.push(lineOf(data, address));
      if (this.echoes) datagram.send(data, address);
      if (random.below(20) === 0) datagram.pause();
    };
    if (!segments) return;
    datagram.onSegments = (data, size, address) => {
      for (
        let start = 0;
        start < Math.max(data.length, 1);
        start += size || 1
      ) {
        this.lines.push(lineOf(data.subarray(start, start + size), address));
      }
      if (this.echoes) datagram.sendSegments(data, size, address);
      if (random.below(20) === 0) datagram.pause();
    };
  }
}

/** A few messages, often several of one length. */
function someMessages(
  random: Random,
  most: number,
): Uint8Array<ArrayBuffer>[] {
  const length = random.pick([0, 1, 7, 64, 64, 500, 1200, 1200, 1472, 3000]);
  const count = Math.min(random.pick([1, 1, 2, 5, 9]), most);
  return Array.from({ length: count }, (_, index) => {
    const last = index === count - 1 && random.below(3) === 0;
    return random.bytes(last ? random.below(length + 1) : length);
  });
}

/** The other end of a server: sends messages, and has received others. */
interface Client {
  send(messages: readonly Uint8Array<ArrayBuffer>[], to: SocketAddress): void;
  /** The lines of so many messages that arrive. */
  received(count: number): string[];
}

/** A client that is a plain socket. */
function plainClient(stage: Stage, place: Place): Client {
  const socket = place.atClients(() => plain(stage, place.client()));
  return {
    send(messages, to): void {
      for (const data of messages) assert(socket.sendTo(data, to) >= 0);
    },
    received: (count) => take(stage, socket, count),
  };
}

/** A client that sends messages of one length at once. */
function segmentingClient(stage: Stage, place: Place): Client {
  const datagram = place.atClients(() =>
    stage.reactor.datagram({ ...place.client(), offload: true })
  );
  const lines: string[] = [];
  datagram.onMessage = (data, address) => lines.push(lineOf(data, address));
  return {
    send(messages, to): void {
      datagram.sendSegments(joined(messages), messages[0]!.length, to);
    },
    received(count): string[] {
      stage.until(() => lines.length >= count, `${count} messages`);
      return lines.splice(0);
    },
  };
}

/** Compares the server with plain sockets, for some rounds. */
function compare(
  stage: Stage,
  random: Random,
  place: Place,
  options: DatagramOptions,
): void {
  const datagram = place.atServers(() =>
    stage.reactor.datagram({ ...place.server(), ...options })
  );
  const subject = new Subject(datagram, random, random.below(2) === 0);
  const twin = place.atServers(() => plain(stage, place.server()));
  const twinAddress = twin.localAddress;
  const clients = Array.from({ length: 3 }, () => plainClient(stage, place));
  if (place.segments) clients.push(segmentingClient(stage, place));
  for (let round = 0; round < 40; round++) {
    subject.echoes = place.client() !== null && random.below(2) === 0;
    const sent = clients.map((): string[] => []);
    for (let left = place.most; left > 0 && random.below(4) > 0;) {
      const index = random.below(clients.length);
      const messages = someMessages(random, left);
      left -= messages.length;
      // Among segments none is empty.
      if (index === 3 && messages[0]!.length === 0) continue;
      if (index === 3 && messages.at(-1)!.length === 0) messages.pop();
      clients[index]!.send(messages, datagram.address);
      clients[index]!.send(messages, twinAddress);
      sent[index]!.push(
        ...messages.map((data) => lineOf(data, datagram.address)),
      );
    }
    const expected = take(stage, twin, sent.flat().length);
    stage.until(() => {
      datagram.resume();
      return subject.lines.length >= expected.length;
    }, "the messages");
    stage.turns(1);
    assertEquals(subject.lines.splice(0), expected);
    if (!subject.echoes) continue;
    assertEquals(
      clients.map((client, index) => client.received(sent[index]!.length)),
      sent,
    );
  }
  datagram.close();
}

for (const [name, place] of Object.entries(PLACES)) {
  onAnyBackend(
    `Datagram: random messages are those of recvfrom(2), and replies those of sendto(2): ${name}`,
    (stage) => {
      withSeed((random) => {
        for (const options of WAYS) {
          compare(stage, random, place(stage), options);
        }
      })();
    },
    name.startsWith("Unix") ? NEEDS_UNIX_DATAGRAMS : {},
  );
}

onAnyBackend(
  `Datagram: the same between network namespaces, by IPv4 and IPv6${noNamespaces}`,
  (stage) => {
    using pair = vethPair();
    withSeed((random) => {
      for (const version of ["hostname", "hostname6"] as const) {
        const place: Place = {
          server: () => ({ hostname: FIRST[version], port: 0 }),
          client: () => ({ hostname: SECOND[version], port: 0 }),
          most: 40,
          segments: true,
          atServers: (body) => pair.first(body),
          atClients: (body) => pair.second(body),
        };
        for (const options of WAYS) compare(stage, random, place, options);
      }
    })();
  },
  { ignore: noNamespaces !== "" },
);
