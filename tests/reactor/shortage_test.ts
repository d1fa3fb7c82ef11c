/**
 * No free descriptor: a server reports it once, and continues when there is one.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import * as selectors from "../../backends/mod.ts";
import { denoProgram, posixTest } from "../util.ts";

/** The options of a test in a process without free descriptors. */
const NEEDS_LIMIT = {
  reason: "Windows has no limit of open descriptors",
} as const;

/** How many descriptors the processes may have. */
const LIMIT = 64;

/** More than fit, whatever the process has open itself. */
const CLIENTS = LIMIT + 8;

const root = new URL("../../", import.meta.url).href;

/** A server as the documentation has it, which prints its port. */
const SERVER = `
import * as selectors from "${root}backends/mod.ts";
import { Reactor } from "${root}reactor/mod.ts";

const [name, way] = Deno.args;
const reactor = new Reactor({ selector: new selectors[name]() });
const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
  peer.onData = (data) => {
    peer.write(data);
  };
});
console.log(server.address.port);
if (way === "serve()") await reactor.serve();
else reactor.run();
`;

/** Starts a program that may have few descriptors. */
async function limited(
  source: string,
  args: readonly string[],
): Promise<{ child: Deno.ChildProcess; file: string }> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, source);
  const command = [denoProgram(), "run", "--no-check", "-A", file, ...args];
  const child = new Deno.Command("sh", {
    args: ["-c", `ulimit -n ${LIMIT}; exec "$@"`, "sh", ...command],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return { child, file };
}

/** The lines of a stream, one at a time, without the messages of Deno. */
async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines.filter((line) => line !== "" && !line.includes("extra certs"));
  }
}

/** Sends a byte, and waits until it comes back. */
async function echoed(client: Deno.TcpConn): Promise<void> {
  await client.write(new Uint8Array([7]));
  const answer = new Uint8Array(1);
  assertEquals([await client.read(answer), answer[0]], [1, 7]);
}

async function starve(name: string, way: string): Promise<void> {
  const { child, file } = await limited(SERVER, [name, way]);
  const output = linesOf(child.stdout);
  const errors = linesOf(child.stderr);
  const clients: Deno.TcpConn[] = [];
  try {
    const port = Number((await output.next()).value);
    for (let count = 0; count < CLIENTS; count++) {
      clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    }
    const { value: report } = await errors.next();
    assertMatch(report, /^Error: Too many open files/);
    await echoed(clients[0]!);
    // Those that wait are served as soon as others have gone.
    for (const client of clients.splice(0, LIMIT)) client.close();
    for (const client of clients) await echoed(client);
  } finally {
    for (const client of clients) client.close();
    child.kill("SIGKILL");
    await output.return(undefined);
    const more: string[] = [];
    for await (const line of errors) more.push(line);
    assertEquals(more, [], "more than one report");
    await child.status;
    await Deno.remove(file);
  }
}

/** The selectors that a program can make here. */
function possibleSelectors(): string[] {
  const { EpollSelector, PollSelector, SelectSelector } = selectors;
  const { KqueueSelector, DevpollSelector } = selectors;
  return [
    EpollSelector,
    PollSelector,
    SelectSelector,
    KqueueSelector,
    DevpollSelector,
  ].filter(isPossible).map(({ name }) => name);
}

function isPossible(Selector: new () => selectors.Selector<unknown>): boolean {
  try {
    new Selector().close();
    return true;
  } catch {
    return false;
  }
}

for (const name of possibleSelectors()) {
  for (const way of ["run()", "serve()"]) {
    posixTest(
      `${name}, ${way}: eight clients beyond the limit are reported once, and served later`,
      () => starve(name, way),
      NEEDS_LIMIT,
    );
  }
}

/** Takes all descriptors but some, and serves. */
const STARTER = `
import { close, dup } from "${root}backends/ffi/mod.ts";
import { Reactor } from "${root}reactor/mod.ts";

const reactor = new Reactor();
const taken = [];
try {
  for (;;) taken.push(dup(0));
} catch {
  // There are no more.
}
for (let count = 0; count < Number(Deno.args[0]); count++) close(taken.pop());
reactor.callLater(50, () => reactor.stop());
try {
  await reactor.serve();
  console.log("served");
} catch (error) {
  console.log(error.code);
}
`;

/** Throws a plain error with no descriptor left. */
const THROWER = `
import { dup } from "${root}backends/ffi/mod.ts";
import { Reactor } from "${root}reactor/mod.ts";

const reactor = new Reactor();
reactor.callSoon(() => {
  try {
    for (;;) dup(0);
  } catch {
    // There are no more.
  }
  throw new TypeError("mistaken");
});
reactor.run();
console.log("alive");
`;

/** The output of a program that may have few descriptors. */
async function outcome(
  source: string,
  ...args: string[]
): Promise<{ stdout: string; stderr: string }> {
  const { child, file } = await limited(source, args);
  const { stdout, stderr } = await child.output();
  await Deno.remove(file);
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { stdout: text(stdout).trim(), stderr: text(stderr).trim() };
}

posixTest(
  "serve(): with too few descriptors to start with, it rejects with EMFILE",
  async () => {
    for (const free of [0, 2, 4, 7]) {
      const { stdout } = await outcome(STARTER, String(free));
      assertEquals(stdout, "EMFILE", `${free} free`);
    }
    assertEquals((await outcome(STARTER, "20")).stdout, "served");
  },
  NEEDS_LIMIT,
);

/** Accepts without a free descriptor, then with some, on Deno's network or the reactor's. */
const ACCEPTER = `
import { Reactor } from "${root}reactor/mod.ts";

await using reactor = new Reactor();
reactor.serve();
const { listen } = Deno.args[0] === "Deno" ? Deno : reactor.net;
const listener = listen({ hostname: "127.0.0.1", port: 0 });
const dial = "const port = " + listener.addr.port + ";" +
  "const clients = [await Deno.connect({ port }), await Deno.connect({ port })];" +
  "console.log('connected'); await clients[0].read(new Uint8Array(1));";
const clients = new Deno.Command(Deno.execPath(), {
  args: ["eval", dial],
  stdout: "piped",
}).spawn();
await clients.stdout.getReader().read();
const files = [];
try {
  for (;;) files.push(Deno.openSync("/dev/null"));
} catch {
  // There are no more.
}
const lines = [];
async function report(action) {
  try {
    lines.push((await action()).localAddr.transport);
  } catch (error) {
    lines.push(error.name, error.message, error.code);
  }
}
await report(() => listener.accept());
await report(async () => {
  for await (const conn of listener) return conn;
});
for (const file of files) file.close();
await report(() => listener.accept());
await report(() => listener.accept());
console.log(lines.join(", "));
clients.kill("SIGKILL");
Deno.exit();
`;

posixTest(
  "Listener: accept() rejects without a free descriptor, and works again with one, as Deno's",
  async () => {
    const expected = await outcome(ACCEPTER, "Deno");
    assertMatch(expected.stdout, /EMFILE.*tcp, tcp$/);
    const { stdout } = await outcome(ACCEPTER, "Pollux");
    assertEquals(stdout, expected.stdout);
  },
  NEEDS_LIMIT,
);

posixTest(
  "the default onError prints any error without a stack where there is no descriptor for it",
  async () => {
    const { stdout, stderr } = await outcome(THROWER);
    assertEquals(stdout, "alive");
    assertEquals(stderr, "TypeError: mistaken");
  },
  NEEDS_LIMIT,
);

posixTest(
  "an EMFILE that is thrown and not caught is printed, and does not make Deno panic",
  async () => {
    const { stderr } = await outcome(`
import { dup } from "${root}backends/ffi/mod.ts";
for (;;) dup(0);
`);
    assertMatch(stderr, /Uncaught.*Error: Too many open files/);
    assert(!stderr.includes("panicked"));
  },
  NEEDS_LIMIT,
);
