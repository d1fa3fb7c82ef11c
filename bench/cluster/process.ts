/**
 * A process of the chat, with an echo server in the same thread, by which it can be
 * saturated. It prints the ports of both.
 *
 *     deno run -A bench/cluster/process.ts [BROKER [reactor | deno]]
 *
 * Without a broker it is the room of one process. The last argument names the sockets of
 * the client of NATS.
 *
 * @module
 */

import { connect, type NatsConnection } from "@nats-io/transport-node";
import { connectBroker } from "../../examples/chat_cluster/broker.ts";
import { joinRoom } from "../../examples/chat_cluster/join_room.ts";
import { LocalRoom } from "../../examples/web_chat/local_room.ts";
import type { Room } from "../../examples/web_chat/room.ts";
import { serveTerminals } from "../../examples/web_chat/terminals.ts";
import { Reactor } from "../../mod.ts";

const ADDRESS = { hostname: "127.0.0.1", port: 0 };

const [broker, sockets] = Deno.args;
const reactor = new Reactor();
const served = reactor.serve();

function connectTo(servers: string): Promise<NatsConnection> {
  return sockets === "deno"
    ? connect({ servers })
    : connectBroker(reactor, servers);
}

const room: Room = broker === undefined
  ? new LocalRoom()
  : await joinRoom(reactor, await connectTo(broker));
const terminals = serveTerminals(reactor, room, ADDRESS);
const echo = reactor.listen(ADDRESS, (peer) => {
  peer.onData = (chunk) => peer.write(chunk);
});
// The room logs its guests: the ports are the first line.
console.log(`${terminals.address.port} ${echo.address.port}`);
await served;
