/** A guest of the chat with a WebSocket of Deno. */

import { assertEquals } from "@std/assert";
import type { Message } from "../../examples/web_chat/room.ts";
import { eventually } from "../util.ts";
import type { WebChat } from "./web_chat.ts";

/** A WebSocket to the room, which the end of an `await using` scope closes. */
export class Visitor implements AsyncDisposable {
  /** The messages up to now. */
  readonly messages: Message[] = [];
  /** Resolves to the status of the close. */
  readonly closed: Promise<number>;
  /** By this secret it may enter again. */
  readonly key: string = crypto.randomUUID();
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.messages.push(JSON.parse(data));
    const { promise, resolve } = Promise.withResolvers<number>();
    this.closed = promise;
    socket.onclose = ({ code }) => resolve(code);
  }

  /** Connects, and does not enter yet. */
  static async connect({ webPort }: WebChat): Promise<Visitor> {
    const socket = new WebSocket(`ws://127.0.0.1:${webPort}/room`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    socket.onerror = null;
    return new Visitor(socket);
  }

  /** Connects and enters. */
  static async enter(server: WebChat, name: string): Promise<Visitor> {
    const visitor = await Visitor.connect(server);
    visitor.enter(name);
    await eventually(() => visitor.messages.length > 0, "the welcome");
    assertEquals(visitor.messages[0]!.kind, "welcome");
    return visitor;
  }

  /** Sends a text as it is. */
  send(text: string): void {
    this.#socket.send(text);
  }

  /** Asks to enter. */
  enter(name: string, key: string = this.key): void {
    this.send(JSON.stringify({ name, key }));
  }

  /** Sends a line. */
  say(text: string): void {
    this.send(JSON.stringify({ text }));
  }

  /** Whether a message was received. */
  has(wanted: Message): boolean {
    const text = JSON.stringify(wanted);
    return this.messages.some((message) => JSON.stringify(message) === text);
  }

  /** Waits until a message was received. */
  async receives(wanted: Message): Promise<void> {
    await eventually(() => this.has(wanted), JSON.stringify(wanted));
  }

  /** Closes the WebSocket, and waits for the end of the connection. */
  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
