/**
 * A client of PostgreSQL on libpq, PostgreSQL's own library, whose functions never wait
 * in this mode: the reactor waits for the sockets that libpq opens.
 *
 * Source: "Asynchronous Command Processing" of PostgreSQL's manual.
 *
 * @module
 */

import {
  bindCalls,
  bytesAt,
  type Calls,
  cString,
  findLibrary,
  textAt,
} from "../backends/ffi/calls.ts";
import type { Reactor } from "../mod.ts";
import { Refusal } from "./command_line.ts";

/** <libpq-fe.h>. */
const CONNECTION_BAD = 1, PGRES_FATAL_ERROR = 7;
const PGRES_POLLING_FAILED = 0, PGRES_POLLING_READING = 1;
const PGRES_POLLING_WRITING = 2, PGRES_POLLING_OK = 3;

/** typedef struct pgNotify { char *relname; int be_pid; char *extra; … } */
const NOTIFY_BYTES = 24, NOTIFY_EXTRA = 16;

const one = { parameters: ["pointer"], errors: "none" } as const;

const FUNCTIONS = {
  PQconnectStart: { parameters: ["buffer"], result: "pointer" },
  PQconnectPoll: { ...one, result: "i32" },
  PQstatus: { ...one, result: "i32" },
  PQsocket: { ...one, result: "i32" },
  PQerrorMessage: { ...one, result: "pointer" },
  PQsetnonblocking: { parameters: ["pointer", "i32"], result: "i32" },
  PQsendQuery: {
    parameters: ["pointer", "buffer"],
    result: "i32",
    errors: "none",
  },
  PQflush: { ...one, result: "i32" },
  PQconsumeInput: { ...one, result: "i32" },
  PQisBusy: { ...one, result: "i32" },
  PQgetResult: { ...one, result: "pointer" },
  PQresultStatus: { ...one, result: "i32" },
  PQresultErrorMessage: { ...one, result: "pointer" },
  PQntuples: { ...one, result: "i32" },
  PQgetvalue: { parameters: ["pointer", "i32", "i32"], result: "pointer" },
  PQclear: { ...one, result: "void" },
  PQnotifies: { ...one, result: "pointer" },
  PQfreemem: { ...one, result: "void" },
  PQfinish: { ...one, result: "void" },
} as const;

/** The functions of libpq. */
export type Libpq = Calls<typeof FUNCTIONS>;

/** Binds libpq. @throws {Deno.errors.NotFound} if it is not installed */
export function bindLibpq(): Libpq {
  return bindCalls(FUNCTIONS, findLibrary("libpq.so.5", "libpq.5.dylib"));
}

/**
 * A connection of libpq. libpq may close its socket in a call, and open another one. So
 * the socket is asked for again before each wait, and no registration outlives a wait.
 */
export class PostgresConnection {
  readonly #reactor: Reactor;
  readonly #pq: Libpq;
  readonly #pointer: Deno.PointerObject;

  private constructor(
    reactor: Reactor,
    pq: Libpq,
    pointer: Deno.PointerObject,
  ) {
    this.#reactor = reactor;
    this.#pq = pq;
    this.#pointer = pointer;
  }

  /**
   * Connects without blocking, also to several hosts in turn.
   *
   * @param parameters As in "host=localhost user=postgres"
   */
  static async connect(
    reactor: Reactor,
    pq: Libpq,
    parameters: string,
  ): Promise<PostgresConnection> {
    const pointer = pq.PQconnectStart(cString(parameters))!;
    const connection = new PostgresConnection(reactor, pq, pointer);
    try {
      await connection.#establish();
    } catch (error) {
      connection.close();
      throw error;
    }
    pq.PQsetnonblocking(pointer, 1);
    // libpq prints weaker messages on standard error.
    await connection.query("SET client_min_messages TO error");
    return connection;
  }

  async #establish(): Promise<void> {
    let state = this.#pq.PQstatus(this.#pointer) === CONNECTION_BAD
      ? PGRES_POLLING_FAILED
      : PGRES_POLLING_WRITING;
    while (state !== PGRES_POLLING_OK) {
      if (state === PGRES_POLLING_FAILED) throw this.#error();
      if (state === PGRES_POLLING_READING) await this.#readable();
      else await this.#writable();
      state = this.#pq.PQconnectPoll(this.#pointer);
    }
  }

  /** Sends a query, and returns the first column of its rows. */
  async query(sql: string): Promise<string[]> {
    const pq = this.#pq;
    if (pq.PQsendQuery(this.#pointer, cString(sql)) === 0) throw this.#error();
    // The server reads a whole query before it answers, so this is the only wait.
    while (pq.PQflush(this.#pointer) === 1) await this.#writable();
    const rows: string[] = [];
    const errors: Refusal[] = [];
    for (let result; (result = await this.#result()) !== null;) {
      this.#takeRows(result, rows, errors);
      pq.PQclear(result);
    }
    if (errors.length > 0) throw errors[0];
    return rows;
  }

  #takeRows(
    result: Deno.PointerObject,
    rows: string[],
    errors: Refusal[],
  ): void {
    const pq = this.#pq;
    const isError = pq.PQresultStatus(result) === PGRES_FATAL_ERROR;
    if (isError) errors.push(refusalOf(pq.PQresultErrorMessage(result)));
    const count = pq.PQntuples(result);
    for (let row = 0; row < count; row++) {
      rows.push(textAt(pq.PQgetvalue(result, row, 0)!));
    }
  }

  /** Waits for messages of NOTIFY. */
  async *notifications(): AsyncGenerator<string, void> {
    for (;;) {
      // Some have come with the answer to a query: for them no wait would end.
      for (let notify; (notify = this.#pq.PQnotifies(this.#pointer));) {
        const struct = new DataView(bytesAt(notify, NOTIFY_BYTES).buffer);
        const text = textAt(struct.getBigUint64(NOTIFY_EXTRA, true));
        this.#pq.PQfreemem(notify);
        yield text;
      }
      await this.#receive();
    }
  }

  /** Closes it. Its queries have to be over. */
  close(): void {
    this.#pq.PQfinish(this.#pointer);
  }

  /** The next result of a query; null after the last. */
  async #result(): Promise<Deno.PointerObject | null> {
    while (this.#pq.PQisBusy(this.#pointer) === 1) await this.#receive();
    return this.#pq.PQgetResult(this.#pointer);
  }

  async #receive(): Promise<void> {
    await this.#readable();
    if (this.#pq.PQconsumeInput(this.#pointer) === 0) throw this.#error();
  }

  #readable(): PromiseLike<void> {
    return this.#reactor.readable(this.#pq.PQsocket(this.#pointer));
  }

  #writable(): PromiseLike<void> {
    return this.#reactor.writable(this.#pq.PQsocket(this.#pointer));
  }

  #error(): Error {
    return refusalOf(this.#pq.PQerrorMessage(this.#pointer));
  }
}

/** An error with the first line of a message of libpq. */
function refusalOf(message: Deno.PointerValue): Refusal {
  const text = message === null ? "" : textAt(message);
  return new Refusal(`PostgreSQL: ${text.split("\n")[0]}`);
}
