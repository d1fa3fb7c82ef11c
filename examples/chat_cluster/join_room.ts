/**
 * Makes a process a part of the room.
 *
 * @module
 */

import type { NatsConnection } from "@nats-io/transport-node";
import type { Reactor } from "../../mod.ts";
import { Census } from "./census.ts";
import { ClusterRoom } from "./cluster_room.ts";
import { Log } from "./log.ts";

/** How often processes are asked whether they are there, in milliseconds. */
const CHECK = 500;

/** How often guests are stored again, in milliseconds. The log keeps entries for a day. */
const RENEWAL = 60 * 60 * 1000;

/** Opens the room by a connection to a broker. */
export async function joinRoom(
  reactor: Reactor,
  connection: NatsConnection,
): Promise<ClusterRoom> {
  const log = await Log.open(connection);
  const process = crypto.randomUUID();
  const room = new ClusterRoom(process, log, new Census(connection, process));
  await room.open();
  reactor.callEvery(CHECK, () => room.removeAbsent());
  reactor.callEvery(RENEWAL, () => room.renew());
  return room;
}
