/**
 * The keyboard of a program that runs in a console of its own: on Windows the only way
 * to press Ctrl-C in another process.
 *
 * @module
 */

/** The program that makes the console. */
const CONSOLE = "tests/windows/console.ts";

/** The keyboard of one program. Closing the keyboard ends the program. */
export class Keyboard {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connection: Promise<Deno.TcpConn | null>;
  #isClosed = false;

  /** Creates a keyboard, which no program has yet. */
  constructor() {
    // It is closed if the program has not connected until then.
    this.#connection = this.#listener.accept().catch(() => null);
  }

  /** The arguments of Deno that run a program with this keyboard. */
  arguments(program: string, args: readonly string[]): string[] {
    const { port } = this.#listener.addr;
    return ["run", "-A", CONSOLE, `${port}`, program, ...args];
  }

  /** Presses Ctrl-C. */
  async pressCtrlC(): Promise<void> {
    await (await this.#connection)?.write(new Uint8Array(1));
  }

  /** Closes the keyboard, which is done once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
    this.#connection.then((connection) => connection?.close());
  }
}
