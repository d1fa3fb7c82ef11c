/** A NATS server of the test's own, with JetStream in a temporary folder. */

import { absenceOf, Program } from "../program.ts";
import { freePort } from "./start.ts";

/** How long a server may run, in milliseconds. */
const TIMEOUT = 120_000;

/** Why tests with NATS have to be ignored; undefined if it is installed. */
export const natsAbsence: string | undefined = await absenceOf(
  "nats-server",
  "--version",
);

/** A server that answers, until an `await using` scope ends. */
export class NatsServer implements AsyncDisposable {
  readonly #directory: string = Deno.makeTempDirSync();
  readonly #port: number = freePort();
  #program: Program | null = null;

  /** Its address and port. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  static async start(): Promise<NatsServer> {
    const server = new NatsServer();
    await server.start();
    return server;
  }

  /** Starts it, also again after `kill()`, with the data that it had. */
  async start(): Promise<void> {
    const program = this.#program = new Program("nats-server", [
      ...["--addr", "127.0.0.1", "--port", `${this.#port}`],
      ...["--jetstream", "--store_dir", this.#directory],
    ], { timeout: TIMEOUT });
    await program.until(() => program.errors.includes("Server is ready"));
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    this.#program = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
