/**
 * The log that all processes share: a stream of JetStream. The broker stores each entry,
 * numbers it, and delivers it to all processes in the same order.
 *
 * @module
 */

import {
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
  type JsMsg,
  type PubAck,
  StorageType,
} from "@nats-io/jetstream";
import { nanos, type NatsConnection } from "@nats-io/transport-node";
import { Refusal } from "../command_line.ts";
import { KEPT_LINES } from "../web_chat/room.ts";
import { type Entry, parseEntry } from "./entry.ts";

const STREAM = "chat";

/** Entries about one name have the same subject, and all lines have. */
const NAMES = `${STREAM}.names`, LINES = `${STREAM}.lines`;

/** Older entries are removed. */
const AGE = 24 * 60 * 60 * 1000;

/** In bytes: beyond, the oldest entries are removed. */
const SIZE = 64 * 1024 * 1024;

/** For how long the broker recognizes an entry that is stored again, in milliseconds. */
const MEMORY = 10 * 60 * 1000;

/** How long a request may take, and the pause before the next try, in milliseconds. */
const TIMEOUT = 1000, PAUSE = 250;

/** A consumer that is silent for twice as long is replaced, in milliseconds. */
const HEARTBEAT = 500;

/** Events of a consumer that its broker does not have, or whose broker is silent. */
const SILENCE: ReadonlySet<string> = new Set([
  "consumer_not_found",
  "heartbeats_missed",
]);

/**
 * The fate of an entry. It is "repeated" if it was stored before, and "outdated" if another
 * entry about the name came first. With a closed connection nothing is stored.
 */
export type Outcome = "stored" | "repeated" | "outdated" | "closed";

/** An entry with its place in the log. */
export interface Numbered {
  readonly entry: Entry;
  readonly number: number;
}

/** The log. */
export class Log {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #client: JetStreamClient;
  #last = 0;

  private constructor(connection: NatsConnection, manager: JetStreamManager) {
    this.#connection = connection;
    this.#manager = manager;
    this.#client = jetstream(connection);
  }

  /** Whether the connection was closed by this program. A request then fails. */
  get isClosed(): boolean {
    return this.#connection.isClosed();
  }

  /** Opens it, and creates its stream unless there is one. */
  static async open(connection: NatsConnection): Promise<Log> {
    try {
      const log = new Log(connection, await jetstreamManager(connection));
      await log.#createStream();
      return log;
    } catch (error) {
      throw new Refusal(`Cannot open the log: ${(error as Error).message}`);
    }
  }

  /**
   * Stores an entry, and tries again until the broker confirms it.
   *
   * @param id An entry with the same one is stored once
   * @param before The number of the last entry about the name, 0 for none: with any
   *   other entry after it, this one is outdated
   */
  async append(entry: Entry, id: string, before?: number): Promise<Outcome> {
    const subject = entry.kind === "said" ? LINES : `${NAMES}.${entry.name}`;
    const options = {
      msgID: id,
      timeout: TIMEOUT,
      ...(before !== undefined && { expect: { lastSubjectSequence: before } }),
    };
    const store = (): Promise<PubAck> =>
      this.#client.publish(subject, JSON.stringify(entry), options);
    try {
      const { duplicate } = await this.#untilAnswered(store);
      return duplicate ? "repeated" : "stored";
    } catch (error) {
      if (this.isClosed) return "closed";
      if (isOutdated(error)) return "outdated";
      throw error;
    }
  }

  /** The last entry about a name; null without one, and if the connection was closed. */
  async last(name: string): Promise<Numbered | null> {
    const query = { last_by_subj: `${NAMES}.${name}` };
    const stored = await this.#untilAnswered(() =>
      this.#manager.streams.getMessage(STREAM, query)
    ).catch(() => null);
    const entry = stored && parseEntry(stored.data);
    return entry && { entry, number: stored.seq };
  }

  /**
   * Calls back with each entry once, in order, first with those that are stored.
   *
   * @returns the number of the oldest entry that was stored
   */
  async follow(callback: (numbered: Numbered) => void): Promise<number> {
    const { state } = await this.#manager.streams.info(STREAM);
    const caughtUp = Promise.withResolvers<void>();
    if (state.messages === 0) caughtUp.resolve();
    this.#consume((message) => {
      this.#receive(message, callback);
      // Other processes go on to append, so the number of pending ones is never zero.
      if (message.seq >= state.last_seq) caughtUp.resolve();
    }).catch(caughtUp.reject);
    await caughtUp.promise;
    return state.first_seq;
  }

  /**
   * Receives messages until the connection is closed. The consumer is an object of one
   * broker. If that is gone, another one starts after the last message.
   */
  async #consume(callback: (message: JsMsg) => void): Promise<void> {
    while (!this.isClosed) {
      const consumer = await this.#untilAnswered(() =>
        this.#client.consumers.get(STREAM, {
          deliver_policy: DeliverPolicy.StartSequence,
          opt_start_seq: this.#last + 1,
        })
      );
      const options = { idle_heartbeat: HEARTBEAT, callback };
      const messages = await consumer.consume(options);
      for await (const { type } of messages.status()) {
        if (SILENCE.has(type)) break;
      }
      messages.stop();
    }
  }

  #receive(message: JsMsg, callback: (numbered: Numbered) => void): void {
    if (message.seq <= this.#last) return;
    this.#last = message.seq;
    const entry = parseEntry(message.data);
    if (entry !== null) callback({ entry, number: message.seq });
  }

  async #createStream(): Promise<void> {
    try {
      await this.#manager.streams.add({
        name: STREAM,
        subjects: [`${NAMES}.*`, LINES],
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        max_age: nanos(AGE),
        max_bytes: SIZE,
        max_msgs_per_subject: KEPT_LINES,
        duplicate_window: nanos(MEMORY),
      });
    } catch (error) {
      // An administrator has changed it, for example to several replicas, or several
      // processes create it at once.
      const isThere = await this.#manager.streams.info(STREAM)
        .then(() => true, () => false);
      if (!isThere) throw error;
    }
  }

  /** Repeats a request while the broker is away, or not ready. */
  async #untilAnswered<Result>(
    request: () => Promise<Result>,
  ): Promise<Result> {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (this.isClosed || isOutdated(error)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

function isOutdated(error: unknown): boolean {
  return error instanceof JetStreamApiError &&
    error.code === JetStreamApiCodes.StreamWrongLastSequence;
}
