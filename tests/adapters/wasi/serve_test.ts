/**
 * Programs that are suspended while they wait, in one thread with other code.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createSelector } from "../../../backends/mod.ts";
import {
  close,
  type InternetAddress,
  read,
  Socket,
  write,
} from "../../../backends/ffi/mod.ts";
import { wakePair } from "../../../backends/ffi/wake_pair.ts";
import { wasiErrnoName } from "../../../backends/wasi/errno.ts";
import { WasiHost } from "../../../adapters/wasi/mod.ts";
import { type Callback, Reactor } from "../../../reactor/mod.ts";
import { fetchOnce } from "../../fetch.ts";
import { bytesOf, pairOf, test } from "../../util.ts";
import { assemble, op } from "./assembler.ts";
import { assembledEcho, compiledEcho } from "./guests.ts";

const compiled = await compiledEcho();
const noCompiler = typeof compiled === "string"
  ? ` (ignored: ${compiled.split("\n")[0]})`
  : "";

function listening(): Socket {
  const listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  return listener;
}

/** Connects, sends a text, and returns the answer. */
async function ask(listener: Socket, text: string): Promise<string> {
  const { hostname, port } = listener.localAddress as InternetAddress;
  using connection = await Deno.connect({ hostname, port });
  await connection.write(bytesOf(text));
  let answer = "";
  const buffer = new Uint8Array(65536);
  while (answer.length < text.length) {
    const count = await connection.read(buffer);
    if (count === null) break;
    answer += new TextDecoder().decode(buffer.slice(0, count));
  }
  return answer;
}

/** Runs a function while a guest serves a listener, then ends the guest. */
async function beside(
  module: WebAssembly.Module,
  body: (listener: Socket) => Promise<void>,
  options: ConstructorParameters<typeof WasiHost>[0] = {},
): Promise<void> {
  using listener = listening();
  const controller = new AbortController();
  const { signal } = controller;
  const host = new WasiHost({ ...options, sockets: [listener] });
  const served = assertRejects(
    () => host.serve(module, { signal }),
    DOMException,
    "aborted",
  );
  try {
    await body(listener);
  } finally {
    controller.abort();
    await served;
  }
}

test("WasiHost.serve: Deno's loop runs while the guest waits", async () => {
  await beside(assembledEcho(), async (listener) => {
    assertEquals(await ask(listener, "hello"), "hello");
    assertEquals(await ask(listener, "again"), "again");
  });
});

test(
  `WasiHost.serve: a guest in C serves two clients at a time${noCompiler}`,
  async () => {
    const [stdin, stdout] = wakePair();
    await beside(compiled as WebAssembly.Module, async (listener) => {
      const { hostname, port } = listener.localAddress as InternetAddress;
      using idle = await Deno.connect({ hostname, port });
      assertEquals(await ask(listener, "hello"), "hello");
      await idle.write(bytesOf("late"));
      const buffer = new Uint8Array(8);
      assertEquals(await idle.read(buffer), 4);
    }, { stdout });
    close(stdin);
    close(stdout);
  },
  { ignore: noCompiler !== "" },
);

test("WasiHost.serve: an abort ends a program that has not started yet", async () => {
  await using reactor = new Reactor();
  const served = reactor.serve();
  using listener = listening();
  for (const options of [{}, { reactor }]) {
    const controller = new AbortController();
    const { signal } = controller;
    const host = new WasiHost({ ...options, sockets: [listener] });
    const program = host.serve(assembledEcho(), { signal });
    controller.abort();
    await assertRejects(() => program, DOMException, "aborted");
  }
  reactor.close();
  await served;
});

test("WasiHost: proc_exit in a start function ends the program with its code", async () => {
  const exits = [...op.constant(7), ...op.call(0), ...op.drop];
  const program = assemble([["proc_exit", 1]], [], exits);
  assertEquals(new WasiHost().run(program), 7);
  assertEquals(await new WasiHost().serve(program), 7);
});

const IOVECS = 32, SUBSCRIPTION = 64, EVENTS = 256, STORED = 512;

/** Stores words, at addresses that follow one another. */
function storing(at: number, ...words: number[]): number[] {
  const { constant, store } = op;
  return words.flatMap((word, index) => [
    ...constant(at + 4 * index),
    ...constant(word),
    ...store,
  ]);
}

/** Sends a byte to descriptor 4, waits for descriptor 3, and exits with the error. */
const waitingPrograms: Record<string, WebAssembly.Module> = {
  fd_read: assemble(
    [["fd_write", 4], ["fd_read", 4], ["proc_exit", 1]],
    [
      ...storing(IOVECS, 0, 1),
      ...[4, IOVECS, 1, STORED].flatMap(op.constant),
      ...[...op.call(0), ...op.drop],
      ...[3, IOVECS, 1, STORED].flatMap(op.constant),
      ...[...op.call(1), ...op.call(2), ...op.drop],
    ],
  ),
  poll_oneoff: assemble(
    [["fd_write", 4], ["poll_oneoff", 4], ["proc_exit", 1]],
    [
      ...storing(IOVECS, 0, 1),
      // Readable; and an hour of the monotonic clock, in nanoseconds
      ...storing(SUBSCRIPTION, 0, 0, 1, 0, 3),
      ...storing(SUBSCRIPTION + 48, 0, 0, 0, 0, 1, 0, 0, 838),
      ...[4, IOVECS, 1, STORED].flatMap(op.constant),
      ...[...op.call(0), ...op.drop],
      ...[SUBSCRIPTION, EVENTS, 2, STORED].flatMap(op.constant),
      ...[...op.call(1), ...op.drop],
      // The error of the event, and above it the type, which is 1 for readable
      ...[...op.constant(EVENTS + 8), ...op.load, ...op.call(2), ...op.drop],
    ],
  ),
};

for (const [name, program] of Object.entries(waitingPrograms)) {
  test(`WasiHost.serve: ${name} is EBADF once the host closes the awaited socket`, async () => {
    await using reactor = new Reactor();
    const served = reactor.serve();
    using awaited = pairOf();
    using signal = pairOf();
    const sockets = [awaited.left, signal.left];
    const exited = new WasiHost({ sockets, reactor }).serve(program);
    await reactor.readable(signal.right);
    awaited.left.close();
    const code = await exited;
    assertEquals(wasiErrnoName(code & 0xffff), "EBADF");
    assertEquals(code >> 16, name === "poll_oneoff" ? 1 : 0);
    reactor.close();
    await served;
  });
}

test("WasiHost.serve: two guests and a Deno.serve() share one thread", async () => {
  using first = listening();
  using second = listening();
  const controller = new AbortController();
  const { signal } = controller;
  const guests = [first, second].map((listener) =>
    assertRejects(() =>
      new WasiHost({ sockets: [listener] }).serve(assembledEcho(), { signal })
    )
  );
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal, onListen(): void {} },
    () => new Response("http"),
  );
  const url = `http://127.0.0.1:${http.addr.port}/`;
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all([
      ask(first, `first ${round}`),
      ask(second, `second ${round}`),
      fetchOnce(url).then((response) => response.text()),
    ]);
    assertEquals(answers, [`first ${round}`, `second ${round}`, "http"]);
  }
  controller.abort();
  await Promise.all([...guests, http.finished]);
});

test("WasiHost.serve: a message of a megabyte is echoed whole", async () => {
  await beside(assembledEcho(), async (listener) => {
    const { hostname, port } = listener.localAddress as InternetAddress;
    using connection = await Deno.connect({ hostname, port });
    const sent = new Uint8Array(1_000_000).map((_, index) => index * 7);
    const writing = (async () => {
      for (let done = 0; done < sent.length;) {
        done += await connection.write(sent.subarray(done));
      }
    })();
    const received = new Uint8Array(sent.length);
    for (let done = 0; done < received.length;) {
      done += (await connection.read(received.subarray(done)))!;
    }
    await writing;
    assertEquals(received, sent);
  });
});

function constants(...values: readonly number[]): number[] {
  return values.flatMap(op.constant);
}

/** Waits for the clock with `poll_oneoff`, again and again. */
function sleeper(times: number, milliseconds: number): WebAssembly.Module {
  const { constant, call, store } = op;
  const set = (address: number, value: number): number[] => [
    ...constant(address),
    ...constant(value),
    ...store,
  ];
  // A subscription to the monotonic clock at 64.
  const prepare = [...set(64 + 16, 1), ...set(64 + 24, milliseconds * 1e6)];
  const sleep = [
    ...constant(64),
    ...constant(256),
    ...constant(1),
    ...constant(512),
    ...call(0),
    ...op.drop,
  ];
  const body = Array.from({ length: times }, () => sleep).flat();
  return assemble([["poll_oneoff", 4]], [...prepare, ...body]);
}

test("WasiHost.serve: a timeout is never early", async () => {
  const start = performance.now();
  assertEquals(await new WasiHost().serve(sleeper(2, 20)), 0);
  assert(performance.now() - start >= 40);
});

test("WasiHost.serve: timers run while a guest never waits", async () => {
  // An endless loop of polls that time out at once.
  const { constant, call, loop, branch, drop } = op;
  const spin = loop(
    [...constant(64), ...constant(256), ...constant(1), ...constant(512)],
    call(0),
    drop,
    branch(0),
  );
  const controller = new AbortController();
  const { signal } = controller;
  const served = assertRejects(
    () =>
      new WasiHost().serve(assemble([["poll_oneoff", 4]], spin), { signal }),
  );
  for (let tick = 0; tick < 10; tick++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  controller.abort();
  await served;
});

test("WasiHost.serve: Deno's I/O continues while a guest never waits", async () => {
  const { call, loop, branch, drop } = op;
  const spin = loop(
    [...constants(64, 256, 1, 512), ...call(0), ...drop],
    branch(0),
  );
  const controller = new AbortController();
  const { signal } = controller;
  const served = assertRejects(() =>
    new WasiHost().serve(assemble([["poll_oneoff", 4]], spin), { signal })
  );
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  using server = await listener.accept();
  const buffer = new Uint8Array(1);
  for (let round = 0; round < 20; round++) {
    await client.write(buffer);
    await server.read(buffer);
    await server.write(buffer);
    await client.read(buffer);
  }
  controller.abort();
  await served;
});

test("sched_yield: Deno's loop gets a turn", async () => {
  const { call, loop, branch, drop } = op;
  const spin = loop(call(0), drop, branch(0));
  const controller = new AbortController();
  const served = assertRejects(() =>
    new WasiHost().serve(assemble([["sched_yield", 0]], spin), {
      signal: controller.signal,
    })
  );
  await new Promise((resolve) => setTimeout(resolve, 1));
  controller.abort();
  await served;
});

test("WasiHost.serve: an aborted signal prevents the start", async () => {
  await assertRejects(
    () =>
      new WasiHost().serve(assembledEcho(), { signal: AbortSignal.abort() }),
    DOMException,
  );
});

test("WasiHost.serve: the guest reads standard input as it arrives", async () => {
  const { constant, call, store, load, drop } = op;
  const [stdin, input] = wakePair();
  const [output, stdout] = wakePair();
  // fd_read(0, 16, 1, 0), then fd_write(1, 16, 1, 0) of as many bytes.
  const copy = assemble([["fd_read", 4], ["fd_write", 4]], [
    ...[...constant(16), ...constant(64), ...store],
    ...[...constant(20), ...constant(32), ...store],
    ...[...constant(0), ...constant(16), ...constant(1), ...constant(0)],
    ...[...call(0), ...drop],
    ...[...constant(20), ...constant(0), ...load, ...store],
    ...[...constant(1), ...constant(16), ...constant(1), ...constant(0)],
    ...[...call(1), ...drop],
  ]);
  const served = new WasiHost({ stdin, stdout }).serve(copy);
  await new Promise((resolve) => setTimeout(resolve, 5));
  write(input, bytesOf("late"));
  assertEquals(await served, 0);
  assertEquals(read(output, new Uint8Array(8)), 4);
  for (const fd of [stdin, input, output, stdout]) close(fd);
});

for (const name of [undefined, "poll"] as const) {
  test(`WasiHost.serve: guests share a reactor on a ${name ?? "default"} selector`, async () => {
    const selector = createSelector<Callback>(name);
    await using reactor = new Reactor({ selector });
    reactor.serve();
    using first = listening();
    using second = listening();
    const controller = new AbortController();
    const { signal } = controller;
    const guests = [first, second].map((listener) =>
      assertRejects(() =>
        new WasiHost({ sockets: [listener], reactor })
          .serve(assembledEcho(), { signal })
      )
    );
    assertEquals(await ask(first, "one"), "one");
    assertEquals(await ask(second, "two"), "two");
    assertEquals(await ask(first, "three"), "three");
    controller.abort();
    await Promise.all(guests);
  });
}

test("WasiHost.serve: guests that wait for one listener share a reactor", async () => {
  await using reactor = new Reactor();
  reactor.serve();
  using listener = listening();
  const controller = new AbortController();
  const { signal } = controller;
  const guests = [1, 2].map(() =>
    assertRejects(() =>
      new WasiHost({ sockets: [listener], reactor })
        .serve(assembledEcho(), { signal })
    )
  );
  for (const text of ["one", "two", "three"]) {
    assertEquals(await ask(listener, text), text);
  }
  controller.abort();
  await Promise.all(guests);
});

for (const state of ["closed", "closed later"]) {
  test(`WasiHost.serve: it rejects if its reactor is ${state}`, async () => {
    await using reactor = new Reactor();
    reactor.serve();
    using listener = listening();
    if (state === "closed") reactor.close();
    else setTimeout(() => reactor.close(), 1);
    await assertRejects(
      () =>
        new WasiHost({ sockets: [listener], reactor }).serve(assembledEcho()),
      Deno.errors.Interrupted,
      "Reactor was closed",
    );
  });
}

test("WasiHost.serve: any reason of the signal ends the guest", async () => {
  using listener = listening();
  const reason = new Deno.errors.BadResource("a reason that is also an errno");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 1);
  const error = await assertRejects(() =>
    new WasiHost({ sockets: [listener] })
      .serve(assembledEcho(), { signal: controller.signal })
  );
  assertEquals(error, reason);
});
