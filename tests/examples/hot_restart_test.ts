/** A server that is replaced under load, by processes of its own. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { close, Socket } from "../../backends/ffi/mod.ts";
import type { Program } from "../program.ts";
import { bytesOf, emulated, eventually } from "../util.ts";
import { startExample, testExamples } from "./start.ts";

/** How many clients connect at the same time, again and again. */
const CLIENTS = 8;

const RESTARTS = 5;

/** The fewest connections that are served between two restarts. */
const CONNECTIONS = 200;

/** Bytes of a line that has no end. */
const ENDLESS = 64 * 1024 * 1024;

/** Clients that connect until they are stopped. */
class Load implements AsyncDisposable {
  served = 0;
  /** The numbers of the processes that have replied. */
  readonly processes = new Set<string>();
  readonly failures: unknown[] = [];
  readonly #port: number;
  readonly #clients: Promise<void>[];
  #isStopped = false;

  constructor(port: number) {
    this.#port = port;
    this.#clients = Array.from({ length: CLIENTS }, () => this.#repeat());
  }

  /** Waits until so many further connections were served. */
  async more(count: number): Promise<void> {
    const goal = this.served + count;
    await eventually(() => this.served >= goal, `${goal} connections`);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #repeat(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#ask();
        this.served++;
      } catch (error) {
        this.failures.push(error);
      }
    }
  }

  async #ask(): Promise<void> {
    const options = { hostname: "127.0.0.1", port: this.#port };
    using connection = await Deno.connect(options);
    await connection.write(bytesOf("hello\n"));
    const reply = await new Response(connection.readable).text();
    const [, process] = /^process (\d+): hello\n$/.exec(reply) ?? [];
    if (process === undefined) throw new Error(`The reply is "${reply}"`);
    this.processes.add(process);
  }
}

/** A name at which only the processes of one test meet. */
function meetingPlace(): string {
  return `@pollux-${crypto.randomUUID()}`;
}

function start(port: number, path: string): Program {
  return startExample("hot_restart", ["--port", `${port}`, "--path", path]);
}

/** Takes the listeners over, and ends before it is ready. */
async function fail(path: string): Promise<void> {
  using socket = Socket.create("unix");
  socket.connect({ path: path.replace("@", "\0") });
  let descriptors: number[] = [];
  await eventually(() => {
    const buffer = new Uint8Array(1000);
    const message = socket.receiveMessage(buffer, { descriptors: 1 });
    descriptors = message?.descriptors ?? [];
    return message !== null;
  }, "the offer");
  assertEquals(descriptors.length, 1);
  for (const fd of descriptors) close(fd);
}

const linux = Deno.build.os === "linux"
  ? undefined
  : "only Linux has abstract names";

testExamples(
  `hot_restart: ${RESTARTS} restarts under load, and no connection fails`,
  async () => {
    const path = meetingPlace();
    await using programs = new AsyncDisposableStack();
    let program = programs.use(start(0, path));
    const port = await program.port();
    await using load = new Load(port);
    await load.more(CONNECTIONS);
    for (let restart = 0; restart < RESTARTS; restart++) {
      const next = programs.use(start(0, path));
      await next.line(/^Took over from the process before$/);
      assertEquals(await next.port(), port);
      const { code, errors, lines } = await program.ending();
      assertEquals({ code, errors }, { code: 0, errors: "" });
      assertStringIncludes(lines.join("\n"), "Replaced, connections left: ");
      assertEquals(lines.at(-1), "Goodbye");
      await load.more(CONNECTIONS);
      program = next;
    }
    await load.stop();
    assertEquals(load.failures, []);
    assertEquals(load.processes.size, RESTARTS + 1);
    assert(load.served >= (RESTARTS + 1) * CONNECTIONS);
    program.kill("SIGINT");
    assertEquals((await program.ending()).code, 0);
  },
  linux,
  emulated ? "the emulator is slow" : undefined,
);

testExamples(
  "hot_restart: a connection of the old process finishes there",
  async () => {
    const path = meetingPlace();
    await using old = start(0, path);
    const port = await old.port();
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(bytesOf("hello"));
    // The first line of another connection is answered: this one was accepted before.
    {
      await using load = new Load(port);
      await load.more(1);
    }
    await using next = start(0, path);
    await next.port();
    await old.line(/^Replaced, connections left: 1$/);
    await connection.write(bytesOf(" again\n"));
    const reply = await new Response(connection.readable).text();
    assertEquals(reply, `process ${old.pid}: hello again\n`);
    assertEquals((await old.ending()).lines.at(-1), "Goodbye");
  },
  linux,
);

testExamples(
  "hot_restart: if a new process ends before it is ready, the old one serves on",
  async () => {
    const path = meetingPlace();
    await using program = start(0, path);
    await using load = new Load(await program.port());
    for (let count = 0; count < 3; count++) {
      await fail(path);
      await load.more(20);
    }
    await load.stop();
    assertEquals(load.failures, []);
    assertEquals([...load.processes], [`${program.pid}`]);
    program.kill("SIGINT");
    const { code, errors } = await program.ending();
    assertEquals({ code, errors }, { code: 0, errors: "" });
  },
  linux,
);

testExamples(
  "hot_restart: a client whose line has no end is disconnected",
  async () => {
    await using program = start(0, meetingPlace());
    const options = { hostname: "127.0.0.1", port: await program.port() };
    using connection = await Deno.connect(options);
    const part = new Uint8Array(64 * 1024);
    // More than the system and the program hold: the end comes before. It is a reset, or
    // a broken pipe if no byte was unread.
    await assertRejects(
      async () => {
        for (let sent = 0; sent < ENDLESS; sent += part.length) {
          await connection.write(part);
        }
      },
      Error,
      "os error",
    );
    await using load = new Load(options.port);
    await load.more(1);
    assertEquals(program.errors, "");
  },
  linux,
);
