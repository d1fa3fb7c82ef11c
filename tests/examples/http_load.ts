/** Clients that send requests of HTTP to a server until they are stopped. */

import { bytesOf, eventually } from "../util.ts";

/** How often a client connects: for each request, or once until the server closes. */
export type Reuse = "close" | "keep-alive";

/** Clients that send requests, one after the other. */
export class HttpLoad implements AsyncDisposable {
  /** How many requests were answered. */
  served = 0;
  /** How many connections were established. */
  connections = 0;
  /** The answers. */
  readonly answers = new Set<string>();
  /** The errors of connections, and connections that ended without an answer. */
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #clients: Promise<void>[];
  #isStopped = false;

  /** Starts a client for each item. */
  constructor(port: number, clients: readonly Reuse[]) {
    this.#port = port;
    this.#clients = clients.map((reuse) => this.#repeat(reuse));
  }

  /** Waits until so many further requests were answered. */
  async more(count: number): Promise<void> {
    const goal = this.served + count;
    await eventually(() => this.served >= goal, `${goal} answers`);
  }

  /** Waits for the answers under way, and ends. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #repeat(reuse: Reuse): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#connect(reuse);
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }

  /** Sends requests on one connection until the server announces its end. */
  async #connect(reuse: Reuse): Promise<void> {
    const options = { hostname: "127.0.0.1", port: this.#port };
    using connection = await Deno.connect(options);
    this.connections++;
    const request = bytesOf(
      `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: ${reuse}\r\n\r\n`,
    );
    for (let isOpen = true; isOpen && !this.#isStopped;) {
      await connection.write(request);
      const { head, body } = await answerOf(connection);
      this.answers.add(body);
      this.served++;
      isOpen = !/\r\nconnection: close\r\n/i.test(head);
    }
  }
}

/** Reads one answer, whose length its head says. */
async function answerOf(
  connection: Deno.Conn,
): Promise<{ head: string; body: string }> {
  const buffer = new Uint8Array(1000);
  const decoder = new TextDecoder();
  for (let text = "";;) {
    const [head = "", body] = text.split("\r\n\r\n");
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (body?.length === Number(length)) return { head: `${head}\r\n`, body };
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`The answer is "${text}"`);
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}
