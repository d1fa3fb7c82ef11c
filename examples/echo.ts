// A plain echo server, which the benchmarks measure. Step 13 of docs/io_multiplexing.md
// says how `run` and `serve` differ.
//
//     deno run --allow-ffi examples/echo.ts
//     deno run --allow-ffi examples/echo.ts --mode serve --selector poll --port 9000
//     deno run --allow-ffi examples/echo.ts --own-chunks
//
// Then, in another terminal: nc 127.0.0.1 8001

import {
  type Callback,
  type Connection,
  type ConnectionOptions,
  createSelector,
  formatAddress,
  type InternetAddress,
  Reactor,
  SELECTOR_NAMES,
  type SelectorName,
} from "../mod.ts";
import {
  main,
  onInterrupt,
  parseCommandLine,
  refuse,
  report,
} from "./command_line.ts";
import { INSPECT, inspect } from "./inspector/option.ts";

/** How long connections may take to finish after Ctrl-C, in milliseconds. */
const GRACE = 2000;

const MODES = ["run", "serve"] as const;

function makeReactor(selector: SelectorName | undefined): Reactor {
  if (selector === undefined) return new Reactor({ onError: report });
  return new Reactor({
    selector: createSelector<Callback>(selector),
    onError: report,
  });
}

// One function for all connections: nothing is allocated for a new one.
function echo(chunk: Uint8Array<ArrayBuffer>, connection: Connection): void {
  if (!connection.write(chunk)) connection.pause();
}

function resume(connection: Connection): void {
  connection.resume();
}

function listen(
  reactor: Reactor,
  options: InternetAddress & ConnectionOptions,
): void {
  const server = reactor.listen(options, (connection) => {
    connection.onData = echo;
    connection.onDrain = resume;
  });
  const { hostname } = options;
  const { port } = server.address;
  console.log(`Server start at: ${formatAddress({ hostname, port })}`);
}

/** Returns the value of an option; if it has no such value, ends the program. */
function oneOf<Name extends string>(
  names: readonly Name[],
  value: unknown,
): Name | undefined {
  const name = names.find((name) => name === value);
  if (name !== undefined || value === undefined) return name;
  refuse(`Cannot use "${value}": it must be one of ${names.join(", ")}`);
}

// Not awaited: a pending `await` at top level would be work of Deno's loop.
main(async () => {
  const { address, values } = parseCommandLine({
    mode: { type: "string", default: "run" },
    selector: { type: "string" },
    "own-chunks": { type: "boolean", default: false },
    ...INSPECT,
  });
  const mode = oneOf(MODES, values.inspect ? "serve" : values.mode);
  const reactor = makeReactor(oneOf(SELECTOR_NAMES, values.selector));
  // Each chunk is written before the next is received, so one buffer is enough.
  const options = { ...address, reuseBuffer: !values["own-chunks"] };
  await inspect(reactor, values);
  if (mode === "serve") onInterrupt(() => reactor.shutdown({ timeout: GRACE }));
  listen(reactor, options);
  if (mode === "serve") await reactor.serve();
  else reactor.run();
});
