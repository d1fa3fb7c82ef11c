/**
 * The fast path of received bytes. On Deno's own sockets they go to the parser of
 * `node:http` in place, past the stream and without a copy.
 *
 * The path is not documented. It is taken if a parser has these members and passes a
 * trial, and otherwise the bytes go to the stream. Only speed depends on it.
 *
 * Source: `execute` in `ext/node/polyfills/internal_binding/http_parser.ts`, and
 * `consume_read_callback` in `ext/node/ops/llhttp/binding.rs` of Deno 2.9.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { enterContext, hasContexts, presentContext } from "./async_context.ts";

/** The parser without callbacks: each call gets them. */
interface NativeParser {
  /** Returns how many bytes were parsed, or a negative number after a failure. */
  execute(callbacks: HttpParser, bytes: Uint8Array): number;
}

/** The parser of a connection, with its callbacks at numeric keys. */
interface HttpParser {
  readonly constructor: {
    new (type: number): HttpParser;
    readonly REQUEST?: number;
    readonly kOnMessageComplete?: number;
    readonly kOnExecute?: number;
  };
  readonly _native?: NativeParser;
  /** The request that is parsed. */
  readonly incoming?: { readonly upgrade: boolean } | null;
  execute(bytes: Uint8Array): number | Error;
  [key: number]: ((...args: unknown[]) => void) | null | undefined;
}

type Listener = (bytes: Uint8Array) => void;

/** A request for the trial. */
const TRIAL = "GET / HTTP/1.1\r\n\r\n";

/** Whether parsers of a class work by the fast path. */
const trials = new WeakMap<object, boolean>();

/** Passes received bytes to the parser that `node:http` has given to a socket. */
export class DirectReads {
  readonly #socket: Duplex & { parser?: HttpParser | null };
  readonly #parser: HttpParser;
  readonly #native: NativeParser;
  readonly #kOnExecute: number;
  /** The listener in whose place the bytes are parsed. */
  readonly #listener: Listener;
  /** The context in which the connection was accepted. */
  readonly #context = presentContext();

  private constructor(socket: Duplex, parser: HttpParser) {
    this.#socket = socket;
    this.#parser = parser;
    this.#native = parser._native!;
    this.#kOnExecute = parser.constructor.kOnExecute!;
    this.#listener = socket.rawListeners("data")[0] as Listener;
  }

  /** The fast path of a socket; null if it has none. */
  static of(socket: Duplex): DirectReads | null {
    const { parser } = socket as { parser?: HttpParser | null };
    // Its listener is not known among others.
    if (!parser || socket.listenerCount("data") !== 1) return null;
    const { constructor } = parser;
    let works = trials.get(constructor);
    if (works === undefined) {
      works = hasContexts && passesTrial(constructor);
      trials.set(constructor, works);
    }
    return works ? new DirectReads(socket, parser) : null;
  }

  /**
   * Parses bytes. Their memory may be used again when this returns.
   *
   * @returns false if the stream has to take them
   * @throws the error of a listener
   */
  take(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (!this.#isHeard()) return false;
    const before = presentContext();
    enterContext(this.#context);
    try {
      this.#execute(bytes);
    } finally {
      enterContext(before);
    }
    return true;
  }

  #execute(bytes: Uint8Array<ArrayBuffer>): void {
    const parser = this.#parser;
    const executed = parser[this.#kOnExecute]!;
    let result: number | Error = this.#native.execute(parser, bytes);
    // A parser that has failed fails again, and then says why, or throws.
    if (result < 0) result = parser.execute(bytes);
    // An error and an upgrade keep the bytes.
    if (typeof result !== "number" || parser.incoming?.upgrade) {
      executed.call(parser, result, Buffer.from(bytes));
    } else executed.call(parser, result);
  }

  /** Whether the stream would do nothing but emit the bytes, for the parser alone. */
  #isHeard(): boolean {
    const socket = this.#socket;
    // It is given back at an upgrade, and after a malformed request.
    if (socket.parser !== this.#parser) return false;
    if (!socket.readableFlowing || socket.readableLength > 0) return false;
    const listeners = socket.rawListeners("data");
    return listeners.length === 1 && listeners[0] === this.#listener;
  }
}

/** Parses a request by the fast path. */
function passesTrial(Parser: HttpParser["constructor"]): boolean {
  const bytes = new TextEncoder().encode(TRIAL);
  let completed = false;
  try {
    const parser = new Parser(Parser.REQUEST!);
    parser[Parser.kOnMessageComplete!] = (): void => {
      completed = true;
    };
    const count = parser._native!.execute(parser, bytes);
    return completed && count === bytes.length &&
      Parser.kOnExecute !== undefined;
  } catch {
    return false;
  }
}
