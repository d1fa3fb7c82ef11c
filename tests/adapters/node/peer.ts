/** A client that speaks bytes, on Deno's own sockets: it knows nothing of Node. */

import { PATIENCE } from "../../util.ts";

/** A connection to a server of a test. */
export class Peer implements Disposable {
  static readonly #open = new Set<Peer>();
  readonly #conn: Deno.TcpConn | Deno.UnixConn | Deno.TlsConn;
  /** Received bytes that no read took yet, as Latin-1. */
  #received = "";

  private constructor(conn: Deno.TcpConn | Deno.UnixConn | Deno.TlsConn) {
    this.#conn = conn;
    Peer.#open.add(this);
  }

  /** Closes all of them. */
  static closeAll(): void {
    for (const peer of Peer.#open) peer[Symbol.dispose]();
    Peer.#open.clear();
  }

  static async connect(port: number): Promise<Peer> {
    return new Peer(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  static async connectAt(path: string): Promise<Peer> {
    return new Peer(await Deno.connect({ transport: "unix", path }));
  }

  /** Connects by TLS to a server with a certificate. */
  static async connectTls(port: number, cert: string): Promise<Peer> {
    const address = { hostname: "127.0.0.1", port };
    return new Peer(await Deno.connectTls({ ...address, caCerts: [cert] }));
  }

  /** Sends a text of Latin-1. */
  async send(text: string): Promise<void> {
    await this.sendBytes(
      Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
    );
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#conn.write(bytes.subarray(sent));
    }
  }

  /** Half-closes. */
  end(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** Receives up to and with the first match of a pattern. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#received);
      if (match !== null) return this.#take(match.index + match[0].length);
      if (!await this.#receive()) {
        throw new Error(`Ended with ${this.#received} before ${pattern}`);
      }
    }
  }

  /**
   * Receives up to the end. A reset counts as one, and is noted. So does a close of TLS
   * without a `close_notify`.
   */
  async rest(): Promise<string> {
    try {
      while (await this.#receive());
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) {
        this.#received += "<reset>";
      } else if (!(error instanceof Deno.errors.UnexpectedEof)) throw error;
    }
    return this.#take(this.#received.length);
  }

  /** Receives a number of bytes, and returns how many came before the end. */
  async count(most: number): Promise<number> {
    let count = this.#take(Math.min(most, this.#received.length)).length;
    const buffer = new Uint8Array(65536);
    while (count < most) {
      const size = Math.min(buffer.length, most - count);
      const received = await this.#conn.read(buffer.subarray(0, size));
      if (received === null) break;
      count += received;
    }
    return count;
  }

  #take(length: number): string {
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }

  async #receive(): Promise<boolean> {
    const buffer = new Uint8Array(65536);
    const timer = setTimeout(() => this.#conn.close(), PATIENCE * 2);
    try {
      const count = await this.#conn.read(buffer);
      if (count === null) return false;
      this.#received += String.fromCharCode(...buffer.subarray(0, count));
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // It was closed already.
    }
  }
}

/** The lines of an answer that do not change: without its date. */
export function withoutDate(answer: string): string {
  return answer.replace(/^Date: .*\r\n/gm, "");
}

/** The matches of the status lines and bodies in answers. */
export function summaryOf(answers: string): string[] {
  return answers.match(/HTTP\/1\.1 \d+|body:[^\r\n]*?;/g) ?? [];
}
