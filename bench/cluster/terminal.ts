/**
 * A guest at a terminal of the chat.
 *
 * @module
 */

let count = 0;

/** A connection to a process of the chat. */
export class Terminal implements AsyncDisposable {
  readonly #connection: Deno.TcpConn;
  readonly #life: Promise<void>;
  #text = "";
  #wanted = "";
  #resolve: (now: number) => void = () => {};

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.#life = this.#read();
  }

  /** Connects and enters, under a name that no other guest of this program has. */
  static async enter(port: number): Promise<Terminal> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    const terminal = new Terminal(connection);
    const name = `guest${count++}`;
    await terminal.#write(name);
    await terminal.#receives("Welcome");
    return terminal;
  }

  /** Says a line, and returns how long it takes to the other one, in milliseconds. */
  async send(other: Terminal): Promise<number> {
    const line = `line${count++}`;
    const arrived = other.#receives(`: ${line}\n`);
    const start = performance.now();
    await this.#write(line);
    return await arrived - start;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    await this.#life;
  }

  async #write(line: string): Promise<void> {
    await this.#connection.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Resolves to the time at which a text arrives. */
  #receives(text: string): Promise<number> {
    this.#wanted = text;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#resolve = resolve;
    return promise;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(4096);
    for (;;) {
      const length = await this.#connection.read(buffer).catch(() => null);
      if (length === null) return;
      this.#text += decoder.decode(buffer.subarray(0, length));
      if (this.#wanted === "" || !this.#text.includes(this.#wanted)) continue;
      this.#text = this.#wanted = "";
      this.#resolve(performance.now());
    }
  }
}
