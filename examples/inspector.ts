// An echo server with a page that shows what its reactor does: which descriptor spins,
// which callback blocks the loop, which queue grows.
//
//     deno run --allow-ffi --allow-sys examples/inspector.ts
//
// V8's profiler, by which faults have a stack, needs the second permission. Then open http://127.0.0.1:8002 in a browser, and in another terminal:
//
//     nc 127.0.0.1 8001
//
// Each line comes back. Two lines are faults, for the page to find: after `spin` a
// descriptor is ready for ten seconds, and is not read. At `stall` the callback keeps
// the loop for a tenth of a second. `--inspect` is the port of the page, `--host` and
// `--port` the address of the server. Other servers of the examples have `--inspect`, too.

import {
  type Connection,
  EVENT_READ,
  formatAddress,
  Reactor,
  socketPair,
} from "../mod.ts";
import {
  main,
  onInterrupt,
  orRefuse,
  parseCommandLine,
  parsePort,
  report,
} from "./command_line.ts";
import { serveInspector } from "./inspector/serve_inspector.ts";

/** How long connections may take to finish after Ctrl-C, in milliseconds. */
const GRACE = 2000;

/** How long the faults last, in milliseconds. */
const SPIN = 10_000;
const STALL = 100;

const decoder = new TextDecoder();

/** The faults, by the lines that ask for them. */
const faults: Readonly<Record<string, (reactor: Reactor) => void>> = {
  spin(reactor): void {
    const [near, far] = socketPair();
    near.send(new Uint8Array(1));
    reactor.register(far, EVENT_READ, function forgetToRead(): void {});
    const endSpin = (): void => {
      reactor.unregister(far);
      far.close();
      near.close();
    };
    reactor.callLater(SPIN, endSpin).unref();
  },
  stall(): void {
    const end = performance.now() + STALL;
    while (performance.now() < end);
  },
};

function serve(reactor: Reactor, connection: Connection): void {
  connection.onData = function echo(chunk): void {
    if (!connection.write(chunk)) connection.pause();
    const line = decoder.decode(chunk).trim();
    // A line like "__defineGetter__" names a method of each object.
    if (Object.hasOwn(faults, line)) faults[line]!(reactor);
  };
  connection.onDrain = () => connection.resume();
}

await main(async () => {
  const { address, values } = parseCommandLine({
    inspect: { type: "string", default: "8002" },
  });
  const port = orRefuse(() => parsePort(String(values.inspect)));
  await using reactor = new Reactor({ onError: report });
  const served = reactor.serve();
  const server = reactor.listen(
    address,
    (connection) => serve(reactor, connection),
  );
  await serveInspector(reactor, port);
  console.log(`Server start at: ${formatAddress(server.address)}`);
  onInterrupt(() => reactor.shutdown({ timeout: GRACE }));
  await served;
});
