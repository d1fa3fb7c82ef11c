// A DNS server over UDP and TCP, which answers for the zone of a file. It shows what
// `Datagram` is for: messages, each with a sender, and each answered on its own.
//
//     deno run --allow-ffi --allow-read=. examples/dns_server.ts
//     deno run --allow-ffi --allow-read=. examples/dns_server.ts --zone FILE
//
// Then, in another terminal:
//
//     dig @127.0.0.1 -p 8001 example.org A
//     dig @127.0.0.1 -p 8001 +tcp many.example.org TXT

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type Connection,
  formatAddress,
  type InternetAddress,
  Reactor,
} from "../mod.ts";
import { main, parseCommandLine, Refusal, report } from "./command_line.ts";
import { INSPECT, runOrInspect } from "./inspector/option.ts";
import { PacketCache } from "./dns_server/packet_cache.ts";
import { Responder } from "./dns_server/responder.ts";
import { answerQueries } from "./dns_server/tcp.ts";
import { Zone } from "./dns_server/zone.ts";
import { parseZone } from "./dns_server/zone_file.ts";

const ZONE = fileURLToPath(
  new URL("dns_server/example.zone", import.meta.url),
);

/** Connections have limits, so that no client keeps the others from being served. */
const CONNECTIONS = {
  maximumConnections: 1000,
  idleTimeout: 10_000,
  maximumQueued: 256 * 1024,
  // Each chunk is copied before the next is received.
  reuseBuffer: true,
};

function readZone(file: string): Zone {
  // A character for each byte: names and strings have no encoding.
  const text = readFileSync(file, "latin1");
  try {
    return new Zone(parseZone(text));
  } catch (error) {
    throw new Refusal(`${file}: ${(error as Error).message}`);
  }
}

function answerDatagrams(
  reactor: Reactor,
  address: InternetAddress,
  responder: Responder,
): void {
  // A response is made before the next message is received.
  const datagrams = reactor.datagram({ ...address, reuseBuffer: true });
  const cache = new PacketCache();
  const respond = (message: Uint8Array): Uint8Array<ArrayBuffer> | null => {
    const response = responder.respond(message, "udp");
    if (response !== null) cache.keep(message, response);
    return response;
  };
  datagrams.onMessage = (message, sender) => {
    const response = cache.find(message) ?? respond(message);
    // Port 0 cannot be answered. A full queue is emptied before more is received.
    if (response === null || sender.port === 0) return;
    if (!datagrams.send(response, sender)) datagrams.pause();
  };
  datagrams.onDrain = () => datagrams.resume();
  // If one sender cannot be answered, the others still are.
  datagrams.onError = report;
}

await main(async () => {
  const { address, values } = parseCommandLine({
    zone: { type: "string", default: ZONE },
    ...INSPECT,
  });
  const responder = new Responder(readZone(values.zone as string));
  using reactor = new Reactor({ onError: report });
  const answer = (connection: Connection): void =>
    answerQueries(connection, (message) => responder.respond(message, "tcp"));
  // For port 0 the system chooses a TCP port, and UDP uses the same.
  const server = reactor.listen({ ...address, ...CONNECTIONS }, answer);
  answerDatagrams(reactor, server.address, responder);
  console.log(`Server start at: ${formatAddress(server.address)}`);
  await runOrInspect(reactor, values);
});
