/** Guests of the chat that come back after each loss of their connection. */

import type { Said, Welcome } from "../../examples/web_chat/room.ts";
import { eventually } from "../util.ts";

/** The pause before a guest connects again, in milliseconds. */
const PAUSE = 100;

/** How long a test waits for guests that come back, in milliseconds. */
const PATIENCE = 60_000;

/** A line with its place in the log. */
export type Heard = Pick<Said, "name" | "text"> & { readonly number: number };

/** A guest that comes back. */
abstract class Regular implements AsyncDisposable {
  /** All lines that it was sent, also those that it has seen before. */
  readonly heard: Heard[] = [];
  /** How often it came in. */
  entries = 0;
  readonly name: string;
  readonly #life: Promise<void>;
  #isOver = false;

  constructor(name: string) {
    this.name = name;
    this.#life = Promise.resolve().then(() => this.#live());
  }

  /** The number of the last line. */
  get last(): number {
    return this.heard.at(-1)?.number ?? 0;
  }

  /** The lines of a guest. */
  from(name: string): string[] {
    return this.heard.filter((line) => line.name === name)
      .map(({ text }) => text);
  }

  /** Waits until it has come in so often. */
  async entered(count: number): Promise<void> {
    const name = `entry ${count} of ${this.name}`;
    await eventually(() => this.entries >= count, name, PATIENCE);
  }

  /** Waits until it has seen a line. */
  async hears(name: string, text: string): Promise<void> {
    const isThere = (): boolean => this.from(name).includes(text);
    const what = `"${text}" at ${this.name}`;
    await eventually(isThere, what, PATIENCE);
  }

  /** Leaves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.disconnect();
    await this.#life;
  }

  /** Connects, enters, and resolves at the end of the connection. */
  protected abstract visit(): Promise<void>;
  protected abstract disconnect(): void;

  async #live(): Promise<void> {
    while (!this.#isOver) {
      await this.visit();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** A guest that does as the page does. It says its next line when the last has come back. */
export class RegularPage extends Regular {
  /** The lines that it was to say and has said: their numbers are their texts. */
  said = 0;
  /** Whether it was ever welcomed with lines missing. */
  hasGap = false;
  readonly #webPort: number;
  readonly #key: string = crypto.randomUUID();
  #socket: WebSocket | null = null;
  #after: number | null = null;
  #wanted = 0;

  constructor(webPort: number, name: string) {
    super(name);
    this.#webPort = webPort;
  }

  /** Says further lines, and waits until they have come back. */
  async say(count: number): Promise<void> {
    this.#wanted += count;
    this.#sayNext();
    const name = `${this.#wanted} lines of ${this.name}`;
    await eventually(() => this.said === this.#wanted, name, PATIENCE);
  }

  protected async visit(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = new WebSocket(`ws://127.0.0.1:${this.#webPort}/room`);
    socket.onopen = () =>
      socket.send(JSON.stringify({
        name: this.name,
        key: this.#key,
        after: this.#after,
      }));
    socket.onmessage = ({ data }) => this.#receive(socket, JSON.parse(data));
    socket.onclose = () => resolve();
    await promise;
    this.#socket = null;
  }

  protected disconnect(): void {
    this.#socket?.close();
  }

  #receive(
    socket: WebSocket,
    message: Welcome | Heard & Said | { kind: "stored"; id: number },
  ): void {
    if (message.kind === "welcome") {
      this.entries++;
      this.#socket = socket;
      this.#after = message.number ?? null;
      this.hasGap ||= !message.isComplete;
      this.#sayNext();
    } else if (message.kind === "said") {
      this.heard.push(message);
      this.#after = message.number;
      if (message.name === this.name) this.#confirm(message.id!);
    } else if (message.kind === "stored") {
      this.#confirm(message.id);
    }
  }

  #confirm(id: number): void {
    if (id < this.said) return;
    this.said = id + 1;
    this.#sayNext();
  }

  #sayNext(): void {
    if (this.#socket === null || this.said === this.#wanted) return;
    const line = { text: `${this.said}`, id: this.said };
    this.#socket.send(JSON.stringify(line));
  }
}

/** A guest at a terminal. It repeats the lines of a page. */
export class RegularTerminal extends Regular {
  readonly #port: number;
  readonly #repeated: string;
  #connection: Deno.Conn | null = null;

  constructor(port: number, name: string, repeated: string) {
    super(name);
    this.#port = port;
    this.#repeated = repeated;
  }

  protected async visit(): Promise<void> {
    try {
      const options = { hostname: "127.0.0.1", port: this.#port };
      using connection = await Deno.connect(options);
      this.#connection = connection;
      await this.#write(`${this.name} ${this.last}`);
      const decoder = new TextDecoderStream();
      let rest = "";
      for await (const text of connection.readable.pipeThrough(decoder)) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) await this.#receive(line);
      }
    } catch {
      // It connects again.
    }
    this.#connection = null;
  }

  protected disconnect(): void {
    this.#connection?.close();
  }

  async #receive(line: string): Promise<void> {
    if (line.startsWith(`Welcome, ${this.name}.`)) this.entries++;
    // Its process was killed, and other processes have not noticed it yet.
    if (line.startsWith("There is a")) return this.#connection?.close();
    const [, number, name, text] = /^(\d+) (\S+): (.*)$/.exec(line) ?? [];
    if (number === undefined) return;
    this.heard.push({ number: Number(number), name: name!, text: text! });
    if (name === this.#repeated) await this.#write(text!);
  }

  async #write(line: string): Promise<void> {
    await this.#connection!.write(new TextEncoder().encode(`${line}\n`));
  }
}
