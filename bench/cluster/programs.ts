/**
 * The programs of the measurement: a broker, processes of the chat, and their load.
 *
 * @module
 */

import { freePort } from "../server.ts";

const FOLDER = new URL("./", import.meta.url).pathname;

/** A running program, which the end of an `await using` scope kills. */
export class Child implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  constructor(program: string, ...args: string[]) {
    this.#child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The first chunk of its output, which is short. */
  async output(): Promise<string> {
    const reader = this.#child.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (value === undefined) throw new Error("A program has ended");
    return new TextDecoder().decode(value);
  }

  stop(): void {
    this.#child.kill("SIGSTOP");
  }

  continue(): void {
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#child.stdout.cancel();
  }
}

/** A NATS server with JetStream in a temporary folder. */
export class Broker extends Child {
  readonly address: string;
  readonly #folder: string;

  private constructor(port: number, folder: string) {
    const listen = ["--addr", "127.0.0.1", "--port", `${port}`];
    super("nats-server", ...listen, "--jetstream", "--store_dir", folder);
    this.address = `127.0.0.1:${port}`;
    this.#folder = folder;
  }

  /** Starts it, and waits until it answers. */
  static async start(): Promise<Broker> {
    const port = freePort("echo");
    const broker = new Broker(port, await Deno.makeTempDir());
    for (;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return broker;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A process of the chat. */
export class ChatProcess extends Child {
  /** The port of terminals. */
  port = 0;
  /** The port of its echo server. */
  echo = 0;

  /** Starts it with the arguments of process.ts, and waits until it listens. */
  static async start(...args: string[]): Promise<ChatProcess> {
    const file = `${FOLDER}process.ts`;
    const process = new ChatProcess(
      Deno.execPath(),
      "run",
      "-A",
      file,
      ...args,
    );
    const ports = (await process.output()).split("\n")[0]!.split(" ");
    [process.port = 0, process.echo = 0] = ports.map(Number);
    return process;
  }
}

/** Starts the load of an echo server. It is stopped at once. */
export async function startLoad(port: number): Promise<Child> {
  const file = `${FOLDER}load.ts`;
  const load = new Child(Deno.execPath(), "run", "-A", file, `${port}`);
  await load.output();
  load.stop();
  return load;
}
