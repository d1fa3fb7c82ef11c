/**
 * As much of netcat as the tests use, for machines without it: clients in the process of
 * the tests, on Deno's sockets.
 */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { bytesOf, eventually } from "../util.ts";

/** How long a client waits for a text, in milliseconds. */
const PATIENCE = 30_000;

/** A client into which tests type: netcat, or one of this file. */
export interface Typist extends AsyncDisposable {
  /** The received text. */
  readonly text: string;
  /** Sends a text. */
  type(text: string): Promise<void>;
  /** Waits until a text was received. */
  shows(wanted: string): Promise<void>;
  /** Ends the input: netcat half-closes then, if it was asked to. */
  endInput(): Promise<void>;
  /** Waits for the end of the connection. */
  ending(): Promise<unknown>;
  /** Ends the client. */
  kill(signal: "SIGKILL"): void;
}

/** A client of TCP. */
export class StreamTypist implements Typist {
  /** The received text. */
  text = "";
  readonly #connection: Promise<Deno.TcpConn>;
  readonly #halfCloses: boolean;
  readonly #ended: Promise<void>;

  /** Connects. */
  constructor(hostname: string, port: number, halfCloses: boolean) {
    this.#connection = Deno.connect({ hostname, port });
    this.#halfCloses = halfCloses;
    this.#ended = this.#read();
  }

  /** Sends a text. */
  async type(text: string): Promise<void> {
    const connection = await this.#connection;
    for (let rest = bytesOf(text); rest.length > 0;) {
      rest = rest.subarray(await connection.write(rest));
    }
  }

  /** Waits until a text was received. */
  async shows(wanted: string): Promise<void> {
    await eventually(() => this.text.includes(wanted), wanted, PATIENCE);
  }

  /** Half-closes the connection, if this client was asked to. */
  async endInput(): Promise<void> {
    if (this.#halfCloses) await (await this.#connection).closeWrite();
  }

  /** Waits until the peer has closed the connection. */
  async ending(): Promise<void> {
    await this.#ended;
  }

  /** Closes the connection. */
  kill(): void {
    this.#connection.then((connection) => connection.close());
  }

  /** Closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    const connection = await this.#connection;
    try {
      connection.close();
    } catch {
      // It was closed by kill().
    }
    await this.#ended;
  }

  async #read(): Promise<void> {
    const connection = await this.#connection;
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      // A close, on either side, ends it like the end of the data.
      const count = await connection.read(buffer).catch(() => null);
      if (count === null) return;
      this.text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  }
}

/** A client of UDP. */
export class DatagramTypist implements Typist {
  /** The received text. */
  text = "";
  readonly #socket = createSocket("udp4");
  readonly #hostname: string;
  readonly #port: number;

  /** Creates its socket. */
  constructor(hostname: string, port: number) {
    this.#hostname = hostname;
    this.#port = port;
    this.#socket.on("message", (message) => this.text += message);
  }

  /** Sends a message. */
  type(text: string): Promise<void> {
    this.#socket.send(text, this.#port, this.#hostname);
    return Promise.resolve();
  }

  /** Waits until a text was received. */
  async shows(wanted: string): Promise<void> {
    await eventually(() => this.text.includes(wanted), wanted, PATIENCE);
  }

  /** Has no effect: a message has no end. */
  async endInput(): Promise<void> {}

  /** Waits until the socket is closed. */
  async ending(): Promise<void> {
    await once(this.#socket, "close");
  }

  /** Closes the socket. */
  kill(): void {
    this.#socket.close();
  }

  /** Closes the socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.ending();
    this.kill();
    await ended;
  }
}
