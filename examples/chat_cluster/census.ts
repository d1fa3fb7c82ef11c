/**
 * Which processes are there: those that answer by the broker.
 *
 * @module
 */

import type { NatsConnection } from "@nats-io/transport-node";

/** Each process answers on a subject of its own. */
const SUBJECT = "chat.processes";

/** How long an answer may take, in milliseconds. A request to no process fails at once. */
const TIMEOUT = 1000;

/**
 * How long a process may be away, in milliseconds. Pages that had a connection to it come
 * back meanwhile by another process, and so do processes after a restart of the broker.
 */
const GRACE = 2000;

/** Asks processes whether they are there. */
export class Census {
  readonly #connection: NatsConnection;
  /** Since when a process does not answer. */
  readonly #silent = new Map<string, number>();
  /** Since when this process has its connection. The first one is no restart. */
  #connected = -Infinity;

  /** Answers in the name of a process. */
  constructor(connection: NatsConnection, process: string) {
    this.#connection = connection;
    connection.subscribe(`${SUBJECT}.${process}`, {
      callback: (_error, message) => {
        message.respond();
      },
    });
    this.#watch();
  }

  /**
   * Whether a process does not answer now. After a restart of the broker that says
   * nothing for a while, since other processes may come back later than this one.
   */
  async isAbsent(process: string): Promise<boolean> {
    const isAbsent = !await this.#answers(process);
    return isAbsent && performance.now() - this.#connected > GRACE;
  }

  /** Those of some processes that have not answered for a while. */
  async findGone(processes: ReadonlySet<string>): Promise<string[]> {
    for (const process of this.#silent.keys()) {
      if (!processes.has(process)) this.#silent.delete(process);
    }
    const all = await Promise.all(
      [...processes].map(async (process) =>
        await this.#isGone(process) ? [process] : []
      ),
    );
    return all.flat();
  }

  async #isGone(process: string): Promise<boolean> {
    const isAbsent = await this.isAbsent(process);
    // Not the time of the request: this process itself may have been stopped since then.
    const now = performance.now();
    if (!isAbsent) this.#silent.delete(process);
    else if (!this.#silent.has(process)) this.#silent.set(process, now);
    return now - (this.#silent.get(process) ?? Infinity) > GRACE;
  }

  async #answers(process: string): Promise<boolean> {
    try {
      const options = { timeout: TIMEOUT };
      await this.#connection.request(`${SUBJECT}.${process}`, "", options);
      return true;
    } catch {
      return false;
    }
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      // Without a connection no process is absent.
      if (type === "disconnect") this.#connected = Infinity;
      if (type === "reconnect") this.#connected = performance.now();
    }
  }
}
