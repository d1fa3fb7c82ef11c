/**
 * A server on the reactor that sends data of one connection to all others.
 *
 *     deno run --allow-ffi bench/peers/pollux_fan_out.ts run 8001
 *
 * @module
 */

import { type Connection, Reactor } from "../../mod.ts";

const connections = new Set<Connection>();

function passOn(chunk: Uint8Array<ArrayBuffer>, from: Connection): void {
  for (const connection of connections) {
    if (connection !== from) connection.write(chunk);
  }
}

function forget(_error: Error | undefined, connection: Connection): void {
  connections.delete(connection);
}

const [mode = "run", port = "8001"] = Deno.args;
const reactor = new Reactor();
const options = {
  hostname: "127.0.0.1",
  port: Number(port),
  reuseBuffer: true,
};
reactor.listen(options, (connection) => {
  connections.add(connection);
  connection.onData = passOn;
  connection.onClose = forget;
});

if (mode === "serve") await reactor.serve();
else reactor.run();
