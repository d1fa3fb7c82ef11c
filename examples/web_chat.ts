// One chat room for browsers and terminals, by one reactor: a page of node:http,
// WebSocket by npm's `ws`, and plain TCP.
//
//     deno run --allow-ffi --allow-env='WS_NO_*' examples/web_chat.ts
//
// `ws` reads two variables of the environment. Then open http://127.0.0.1:8080 in a
// browser, and in another terminal:
//
//     nc 127.0.0.1 8001
//
// A page whose connection is lost connects again. Ctrl-C ends the server. `--web-port`
// is the port of the page, `--port` that of terminals, `--host` the address of both.

import { formatAddress, Reactor } from "../mod.ts";
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
import { LocalRoom } from "./web_chat/local_room.ts";
import { serveTerminals } from "./web_chat/terminals.ts";

/** How long goodbyes may take, in milliseconds. */
const GRACE = 1000;

await main(async () => {
  const { address, values } = parseCommandLine({
    "web-port": { type: "string", default: "8080" },
    ...INSPECT,
  });
  const webPort = orRefuse(() => parsePort(String(values["web-port"])));
  await using reactor = new Reactor({ onError: report });
  const served = reactor.serve();
  await inspect(reactor, values);
  const room = new LocalRoom();
  const page = serveBrowsers(reactor, room, { ...address, port: webPort });
  const terminals = serveTerminals(reactor, room, address);
  onInterrupt(() => {
    room.close();
    reactor.shutdown({ timeout: GRACE });
  });
  console.log(`Page: http://${formatAddress(page.address)}`);
  console.log(`Server start at: ${formatAddress(terminals.address)}`);
  await served;
  console.log("Goodbye");
});
