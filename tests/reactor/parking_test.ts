/**
 * Parking: all reactors of a thread share one wait on another thread.
 */

import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import type { Socket } from "../../backends/ffi/mod.ts";
import { EVENT_READ, type LoopSelector } from "../../backends/mod.ts";
import { type Callback, Reactor } from "../../reactor/mod.ts";
import {
  denoProgram,
  NEEDS_FILES,
  nextTurn,
  ONLY_LINUX,
  PATIENCE,
  test,
} from "../util.ts";
import {
  onAnyBackend,
  onEachBackend,
  reactorBackends,
  type Stage,
} from "./stage.ts";

/** More than Deno has threads for blocking calls. */
const MANY = 100;

/** A reactor in `serve()` that resolves once its socket has received bytes. */
class Server {
  readonly reactor: Reactor;
  readonly peer: Socket;
  readonly served: Promise<void>;
  readonly #right: Socket;
  #received: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(stage: Stage, reactor: Reactor = stage.make()) {
    this.reactor = reactor;
    [this.peer, this.#right] = stage.pair();
    reactor.register(this.#right, EVENT_READ, () => {
      this.#right.recv(new Uint8Array(16));
      this.#received.resolve();
    });
    this.served = reactor.serve();
  }

  /** Sends a byte; resolves when it was received. */
  ask(): Promise<void> {
    this.#received = Promise.withResolvers();
    this.peer.send(new Uint8Array(1));
    return this.#received.promise;
  }

  async stop(): Promise<void> {
    this.reactor.stop();
    await this.served;
  }
}

/** Rejects instead of waiting for ever. */
async function within<T>(promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("Too late")), PATIENCE);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets idle reactors park. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

onEachBackend(
  "serve(): idle reactors, more than Deno has threads, answer, and leave Deno's file system usable",
  async (stage) => {
    const servers = Array.from({ length: MANY }, () => new Server(stage));
    await settle();
    assert((await within(Deno.stat("."))).isDirectory);
    for (const server of servers) await within(server.ask());
    await within(Promise.all(servers.map((server) => server.ask())));
    await within(Promise.all(servers.map((server) => server.stop())));
  },
);

onAnyBackend(
  "serve(): parked reactors on different selectors share one wait",
  async (stage) => {
    const present = reactorBackends.filter(({ absent }) =>
      absent === undefined
    );
    const servers = present.map((backend) =>
      new Server(
        stage,
        stage.use(
          new Reactor({ selector: backend.make() as LoopSelector<Callback> }),
        ),
      )
    );
    for (let round = 0; round < 3; round++) {
      await settle();
      for (const server of servers) await within(server.ask());
    }
    for (const server of servers) await within(server.stop());
  },
);

onEachBackend(
  "serve(): a parked reactor answers while another one is active",
  async (stage) => {
    const busy = stage.make();
    let going = true;
    const again = (): void => {
      if (going) busy.callSoon(again);
    };
    const idle = new Server(stage);
    await settle();
    busy.callSoon(again);
    const served = busy.serve();
    for (let round = 0; round < 5; round++) await within(idle.ask());
    const timed = Promise.withResolvers<void>();
    idle.reactor.callLater(5, timed.resolve);
    await within(timed.promise);
    going = false;
    busy.stop();
    await within(served);
    await within(idle.ask());
    await within(idle.stop());
  },
);

onEachBackend(
  "serve(): each of several parked reactors calls its timers in time, and stops alone",
  async (stage) => {
    const servers = Array.from({ length: 4 }, () => new Server(stage));
    await settle();
    // The first reactor waits for longer than all others together may take.
    const [first, ...others] = servers;
    const late = first!.reactor.callLater(2 * PATIENCE, () => {});
    const timed = others.map(({ reactor }, index) =>
      new Promise<number>((resolve) => {
        const due = performance.now() + 100 * index;
        const time = (): void => resolve(performance.now() - due);
        reactor.callLater(100 * index, time);
      })
    );
    for (const delay of await within(Promise.all(timed))) {
      assertGreaterOrEqual(delay, 0);
    }
    assert(late.active);
    late.cancel();
    for (const [index, server] of servers.entries()) {
      await within(server.stop());
      for (const other of servers.slice(index + 1)) await within(other.ask());
    }
  },
);

onEachBackend(
  "serve(): a socket that is closed while its reactor is parked is closed at once",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    reactor.register(right, EVENT_READ, () => {});
    const others = [new Server(stage), new Server(stage)];
    const served = reactor.serve();
    await settle();
    reactor.unregister(right);
    right.close();
    const buffer = new Uint8Array(1);
    const end = performance.now() + PATIENCE;
    // A poll(2) under way would keep the file open, and the peer waiting.
    while (left.recv(buffer) !== 0 && performance.now() < end) await nextTurn();
    assertEquals(left.recv(buffer), 0);
    for (const other of others) await within(other.stop());
    reactor.stop();
    await within(served);
  },
);

onEachBackend(
  "serve(): a regular file that is registered while the reactor is parked is ready",
  async (stage) => {
    const { reactor } = stage;
    const served = new Server(stage, reactor);
    const path = await Deno.makeTempFile();
    stage.defer(() => Deno.remove(path));
    const { openFile, close } = await import("../../backends/ffi/mod.ts");
    await settle();
    const file = openFile(path);
    const ready = Promise.withResolvers<void>();
    reactor.register(file, EVENT_READ, () => {
      reactor.unregister(file);
      close(file);
      ready.resolve();
    });
    await within(ready.promise);
    await within(served.stop());
  },
  NEEDS_FILES,
);

/** Serves a Unix socket, and connects to it, without a network. */
const WITHOUT_NETWORK = `
  import { Reactor } from MODULE;
  const reactor = new Reactor();
  const path = Deno.args[0];
  reactor.listen({ path }, (peer) => peer.onData = (chunk) => peer.write(chunk));
  reactor.serve();
  let rounds = 0;
  const client = reactor.connect({ path });
  client.onData = () => {
    if (++rounds === 20) Deno.exit(0);
    setTimeout(() => client.write(new Uint8Array(1)), 5);
  };
  client.write(new Uint8Array(1));
`;

const unshare = await (async () => {
  try {
    const { success } = await new Deno.Command("unshare", {
      args: ["-n", "true"],
    }).output();
    return success;
  } catch {
    return false;
  }
})();

test(
  "serve(): it needs no network, and serves Unix sockets with loopback down",
  async () => {
    const directory = await Deno.makeTempDir();
    try {
      const program = WITHOUT_NETWORK.replace(
        "MODULE",
        JSON.stringify(new URL("../../mod.ts", import.meta.url).href),
      );
      await Deno.writeTextFile(`${directory}/program.ts`, program);
      const child = new Deno.Command("unshare", {
        args: [
          "-n",
          denoProgram(),
          "run",
          "--no-config",
          "-A",
          `${directory}/program.ts`,
          `${directory}/socket`,
        ],
      }).spawn();
      const killing = setTimeout(() => child.kill("SIGKILL"), 4 * PATIENCE);
      const { code } = await child.status;
      clearTimeout(killing);
      assertEquals(code, 0);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
  { ignore: !unshare, reason: "there are no network namespaces here" },
);

/**
 * Watches the same pipes with several reactors, more in total than the limit of poll(2).
 * It writes to one pipe repeatedly, first with all reactors parked, then with one active.
 */
const TOO_MANY_TO_POLL = `
  import { PollSelector, Reactor } from MODULE;
  import { pipe, read, write } from SOCKET;
  const pipes = Array.from({ length: 50 }, () => pipe());
  const reactors = Array.from({ length: 4 }, () =>
    new Reactor({ selector: new PollSelector() }));
  let received = () => {};
  for (const reactor of reactors) {
    for (const [reader] of pipes) {
      reactor.register(reader, 1, () => {
        read(reader, new Uint8Array(16));
        received();
      });
    }
    reactor.serve();
  }
  const ask = () => new Promise((resolve) => {
    received = resolve;
    write(pipes[7][1], new Uint8Array(1));
  });
  for (let round = 0; round < 5; round++) await ask();
  const busy = new Reactor();
  const again = () => busy.callSoon(again);
  again();
  busy.serve().catch(() => Deno.exit(2));
  for (let round = 0; round < 10; round++) {
    await ask();
    // Long enough for the other reactors to park.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  Deno.exit(busy.running ? 0 : 1);
`;

test(
  "serve(): parked reactors answer although their descriptors are too many for one poll(2)",
  async () => {
    const url = (path: string): string =>
      JSON.stringify(new URL(path, import.meta.url).href);
    const program = TOO_MANY_TO_POLL
      .replace("MODULE", url("../../mod.ts"))
      .replace("SOCKET", url("../../backends/ffi/mod.ts"));
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 180 && exec "$0" eval "$1"',
        denoProgram(),
        program,
      ],
    }).spawn();
    const killing = setTimeout(() => child.kill("SIGKILL"), 4 * PATIENCE);
    assertEquals((await child.status).code, 0);
    clearTimeout(killing);
  },
  ONLY_LINUX,
);
