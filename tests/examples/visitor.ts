/** A guest of the chat with a WebSocket of Deno. */

import { assertEquals } from "@std/assert";
import type { Message } from "../../examples/web_chat/room.ts";
import { eventually } from "../util.ts";
import type { WebChat } from "./web_chat.ts";

/** How long a visitor waits for a message, in milliseconds. Processes may be slow to end. */
const PATIENCE = 60_000;

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

  /** Asks to enter, and for the lines after one that it has seen. */
  enter(
    name: string,
    key: string = this.key,
    after: number | null = null,
  ): void {
    this.send(JSON.stringify({ name, key, after }));
  }

  /** Sends a line, and perhaps its number. */
  say(text: string, id?: number): void {
    this.send(JSON.stringify({ text, id }));
  }

  /** Whether a message with these properties was received. */
  has(wanted: Partial<Message>): boolean {
    const properties = Object.entries(wanted);
    return this.messages.some((message) =>
      properties.every(([name, value]) =>
        isSame(message[name as keyof Message], value)
      )
    );
  }

  /** Waits until a message with these properties was received. */
  async receives(wanted: Partial<Message>): Promise<void> {
    const name = JSON.stringify(wanted);
    await eventually(() => this.has(wanted), name, PATIENCE);
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

/** Whether two values are the same text, number or JSON. There are many: most differ at once. */
function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  return typeof left === "object" && typeof right === "object" &&
    JSON.stringify(left) === JSON.stringify(right);
}
