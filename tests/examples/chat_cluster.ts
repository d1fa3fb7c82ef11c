/** Starts processes of the chat that share one room by a broker. */

import type { Program } from "../program.ts";
import type { NatsServer } from "./nats_server.ts";
import { startExample } from "./start.ts";
import { portsOf, type WebChat } from "./web_chat.ts";

const PERMISSIONS = ["--allow-ffi", "--allow-env=WS_NO_*"];

/** How long a process may run, in milliseconds. */
const TIMEOUT = 120_000;

/** Starts a process with these arguments. */
export function startChatProcess(...args: string[]): Program {
  const options = { timeout: TIMEOUT };
  return startExample("chat_cluster", args, PERMISSIONS, options);
}

/** Starts a process of the room, and waits until it listens. Default: at free ports. */
export function joinCluster(
  { address }: NatsServer,
  port: number = 0,
  webPort: number = 0,
): Promise<WebChat> {
  const ports = ["--port", `${port}`, "--web-port", `${webPort}`];
  return portsOf(startChatProcess("--broker", address, ...ports));
}
