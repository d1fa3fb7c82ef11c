/** The channels of `node:diagnostics_channel`. */

import diagnostics from "node:diagnostics_channel";
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { EVENT_READ } from "../../../backends/mod.ts";
import { anyFile, bytesOf, runDeno, test } from "../../util.ts";
import { onAnyBackend, type Stage } from "../stage.ts";

const NEEDS_LIMIT = {
  ignore: !anyFile,
  reason: "Windows has no limit of open descriptors",
} as const;

type Message = Readonly<Record<string, unknown>>;

/** Collects the messages of a channel until the end of a test. */
function messagesOf(stage: Stage, channel: string): Message[] {
  const messages: Message[] = [];
  const listen = (message: unknown): void => {
    messages.push(message as Message);
  };
  diagnostics.subscribe(channel, listen);
  stage.defer(() => void diagnostics.unsubscribe(channel, listen));
  return messages;
}

onAnyBackend(
  "channels: a connection is reported when it opens, and with its bytes when it closes",
  async (stage) => {
    const opened = messagesOf(stage, "pollux:connection.open");
    const closed = messagesOf(stage, "pollux:connection.close");
    await stage.reactor.diagnose();
    const { connection, peer } = stage.connection();
    connection.onData = (chunk) => connection.write(chunk);
    peer.send("12345");
    peer.read(5);
    assertEquals(opened, [{ connection }]);
    assertEquals(closed, []);
    peer.close();
    stage.until(() => connection.closed, "the end");
    assertEquals(closed, [
      { connection, error: undefined, bytesRead: 5, bytesWritten: 5 },
    ]);
  },
);

onAnyBackend(
  "channels: an outgoing connection opens when it is established",
  async (stage) => {
    const opened = messagesOf(stage, "pollux:connection.open");
    await stage.reactor.diagnose();
    const { localAddress } = stage.silentListener();
    const connection = stage.reactor.connect(localAddress);
    assertEquals(opened, []);
    stage.until(() => !connection.connecting, "the connect");
    assertEquals(opened, [{ connection }]);
  },
);

onAnyBackend(
  "channels: a connection that an error ends is reported with it",
  async (stage) => {
    const closed = messagesOf(stage, "pollux:connection.close");
    await stage.reactor.diagnose();
    const { connection, peer } = stage.connection();
    connection.onData = () => {};
    peer.reset();
    stage.until(() => connection.closed, "the end");
    assertEquals(closed.length, 1);
    assertInstanceOf(closed[0]!.error, Deno.errors.ConnectionReset);
  },
);

onAnyBackend(
  "channels: connections of net and those that end with the reactor are reported, too",
  async (stage) => {
    const opened = messagesOf(stage, "pollux:connection.open");
    const closed = messagesOf(stage, "pollux:connection.close");
    const { reactor } = stage;
    await reactor.diagnose();
    const served = reactor.serve();
    using listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const client = await reactor.net.connect({ port, hostname: "127.0.0.1" });
    const server = await listener.accept();
    assertEquals(opened.length, 2);
    client.close();
    assertEquals(closed.map(({ connection }) => connection === client), [true]);
    reactor.close();
    await served;
    assertEquals(closed.map(({ connection }) => connection === server), [
      false,
      true,
    ]);
  },
);

onAnyBackend(
  "channels: a refused datagram is reported with its error",
  async (stage) => {
    const refused = messagesOf(stage, "pollux:datagram.refuse");
    await stage.reactor.diagnose();
    const datagram = stage.reactor.datagram({ hostname: "127.0.0.1", port: 0 });
    datagram.onError = () => {};
    // The option "broadcast" is not set.
    datagram.send(new Uint8Array(1), { hostname: "255.255.255.255", port: 9 });
    assertEquals(refused.map(({ datagram: each }) => each === datagram), [
      true,
    ]);
    assertEquals((refused[0]!.error as { code: string }).code, "EACCES");
  },
);

onAnyBackend("channels: a spin and a stall are published", async (stage) => {
  const spins = messagesOf(stage, "pollux:spin");
  const stalls = messagesOf(stage, "pollux:stall");
  const { reactor } = stage;
  await reactor.diagnose({ stallThreshold: 5, onDiagnosis: () => {} });
  const [left, right] = stage.pair();
  left.send(bytesOf("x"));
  reactor.register(right, EVENT_READ, () => {});
  reactor.callSoon(function slow(): void {
    const end = performance.now() + 6;
    while (performance.now() < end);
  });
  for (let turn = 0; turn < 1100; turn++) reactor.runOnce(1000);
  assertEquals(spins.map(({ kind }) => kind), ["spin"]);
  // On a busy machine other callbacks may be slow, too.
  const slow = stalls.filter(({ callback }) => callback === "slow");
  assertEquals(slow.map(({ kind }) => kind), ["stall"]);
});

onAnyBackend("channels: without diagnose() nothing is published", (stage) => {
  const opened = messagesOf(stage, "pollux:connection.open");
  const { peer } = stage.connection();
  peer.close();
  assertEquals(opened, []);
});

test(
  "channels: a back-off of accepting is reported with the error of the system",
  async () => {
    const { code, stderr, stdout } = await runDeno(
      `
    import diagnostics from "node:diagnostics_channel";
    import { dup } from "POLLUX/backends/ffi/mod.ts";
    import { Reactor } from "POLLUX/reactor/mod.ts";
    using reactor = new Reactor({ onError: () => {} });
    await reactor.diagnose();
    diagnostics.subscribe("pollux:accept.backoff", ({ acceptor, error }) => {
      console.log(acceptor === server, error.code);
      reactor.stop();
    });
    const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    const client = reactor.connect(server.address);
    try {
      for (;;) dup(client.socket ?? 0);
    } catch {
      try {
        for (;;) dup(0);
      } catch {
        // No descriptor is left.
      }
    }
    reactor.run();
    `,
      ["-A"],
    );
    assertEquals(stdout.trim(), "true EMFILE", stderr);
    assertEquals(code, 0);
  },
  NEEDS_LIMIT,
);

test("channels: a program without diagnose() does not load the module", async () => {
  const { stdout, stderr } = await runDeno(
    `
    import { Reactor } from "POLLUX/reactor/mod.ts";
    using reactor = new Reactor();
    reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {}).close();
    reactor.run();
    const loaded = Object.keys(reactor.stats()).length;
    console.log(loaded > 0);
    `,
    ["--allow-ffi", "--log-level=debug"],
  );
  assert(stdout.includes("true"), stderr);
  assertEquals(/diagnostics_channel/.test(stderr), false);
});
