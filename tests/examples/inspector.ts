/** Starts the inspector, and gives it faults to find. */

import type { Program } from "../program.ts";
import { bytesOf } from "../util.ts";
import { startExample, type startInConsole } from "./start.ts";

const HOST = "127.0.0.1";

/** The running program. */
export interface Inspector extends AsyncDisposable {
  readonly program: Program;
  /** The port of the server. */
  readonly port: number;
  /** The address of the page. */
  readonly url: string;
}

/** Starts it with the permissions that its head names, at free ports. */
export async function startInspector(
  inspectPort: number = 0,
  start: typeof startInConsole = startExample,
): Promise<Inspector> {
  const args = ["--port", "0", "--inspect", `${inspectPort}`];
  const permissions = ["--allow-ffi", "--allow-sys"];
  const program = start("inspector", args, permissions);
  return {
    program,
    url: await inspectorOf(program),
    port: await program.port(),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/** Waits until a program has printed the address of its page. */
export async function inspectorOf(program: Program): Promise<string> {
  const line = await program.line(/^Inspector: http:\/\/127.0.0.1:\d+$/);
  return line.slice(line.indexOf("http"));
}

/** A client of the server. Each line is sent back; some are faults. */
export class Client implements Disposable {
  readonly #connection: Deno.TcpConn;
  #isClosed = false;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects. */
  static async connect({ port }: Inspector): Promise<Client> {
    return new Client(await Deno.connect({ hostname: HOST, port }));
  }

  /** Sends a line, and reads the answer. */
  async say(line: string): Promise<void> {
    await this.#connection.write(bytesOf(line));
    await this.#connection.read(new Uint8Array(line.length));
  }

  /** Sends one line after the other, until it is closed. */
  async talk(): Promise<void> {
    try {
      while (!this.#isClosed) await this.say("hello, inspector");
    } catch (error) {
      if (!this.#isClosed) throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }
}
