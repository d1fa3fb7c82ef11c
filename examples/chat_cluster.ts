// The chat room of web_chat.ts by several processes, also on several machines. A broker,
// NATS, has the room: it stores and orders all lines, and says which processes are there.
//
//     nats-server -js
//     deno run --allow-ffi --allow-env='WS_NO_*' examples/chat_cluster.ts
//
// Start the second line several times: the processes share the ports, and the system
// distributes connections among them. On Windows each needs ports of its own, by `--port`
// and `--web-port`. Guests come by http://127.0.0.1:8080, or by
//
//     nc 127.0.0.1 8001
//
// A page whose process was killed comes back by another one, and misses no line. A
// terminal that enters as "bob 0" gets lines with numbers. If 7 was the last of them, it
// comes back as "bob 7". `--broker` has the addresses of brokers, separated by commas.

import { formatAddress, Reactor } from "../mod.ts";
import { connectBroker } from "./chat_cluster/broker.ts";
import { joinRoom } from "./chat_cluster/join_room.ts";
import {
  main,
  onInterrupt,
  orRefuse,
  parseCommandLine,
  parsePort,
  report,
} from "./command_line.ts";
import { INSPECT, inspect } from "./inspector/option.ts";
import { serveBrowsers } from "./web_chat/browsers.ts";
import { serveTerminals } from "./web_chat/terminals.ts";

/** How long goodbyes may take, in milliseconds. */
const GRACE = 1000;

await main(async () => {
  const { address, values } = parseCommandLine({
    "web-port": { type: "string", default: "8080" },
    broker: { type: "string", default: "127.0.0.1:4222" },
    ...INSPECT,
  });
  const webPort = orRefuse(() => parsePort(String(values["web-port"])));
  await using reactor = new Reactor({ onError: report });
  const served = reactor.serve();
  await inspect(reactor, values);
  const connection = await connectBroker(reactor, String(values.broker));
  const room = await joinRoom(reactor, connection);
  const shared = { ...address, reusePort: Deno.build.os !== "windows" };
  const page = serveBrowsers(reactor, room, { ...shared, port: webPort });
  const terminals = serveTerminals(reactor, room, shared);
  const end = (): void => {
    room.close();
    connection.close();
    reactor.shutdown({ timeout: GRACE });
  };
  onInterrupt(end);
  // Only after an error for which it does not help to connect again.
  connection.closed().then((error) => error && (report(error), end()));
  console.log(`Page: http://${formatAddress(page.address)}`);
  console.log(`Server start at: ${formatAddress(terminals.address)}`);
  await served;
  console.log("Goodbye");
});
