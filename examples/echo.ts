// A plain echo server, the one that people benchmark. Run it with
//
//     deno run --allow-ffi examples/echo.ts
//     deno run --allow-ffi examples/echo.ts --mode serve --selector poll --port 9000
//
// and talk to it with
//
//     nc 127.0.0.1 8001

import { parseArgs } from "node:util";
import { type Connection, createSelector, Reactor } from "../mod.ts";
import type { Callback, SelectorName } from "../mod.ts";

const { values } = parseArgs({
  options: {
    mode: { type: "string", default: "run" },
    selector: { type: "string" },
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "8001" },
  },
});

function makeReactor(): Reactor {
  const { selector } = values;
  return selector === undefined ? new Reactor() : new Reactor({
    selector: createSelector<Callback>(selector as SelectorName),
  });
}

// One function for all connections: nothing is allocated for a new one.
function echo(chunk: Uint8Array<ArrayBuffer>, connection: Connection): void {
  if (!connection.write(chunk)) connection.pause();
}

function resume(connection: Connection): void {
  connection.resume();
}

const reactor = makeReactor();
// The bytes are passed on at once, so a loan of them will do.
const options = {
  hostname: values.host,
  port: Number(values.port),
  lend: true,
};
const server = reactor.listen(options, (connection) => {
  connection.onData = echo;
  connection.onDrain = resume;
});
const { port } = server.address as { port: number };
console.log(`Server start at: ${values.host}:${port}`);

if (values.mode === "serve") await reactor.serve();
else reactor.run();
