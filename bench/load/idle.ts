/**
 * Idle connections, with or without a load on others.
 *
 * @module
 */

import { Clients } from "./clients.ts";
import type { Latencies } from "./latencies.ts";
import type { Load } from "./load.ts";

/** Idle connections, and a load, if there is one. */
export class Idle implements Load {
  readonly #idle: Clients;
  readonly #active: Load | null;

  constructor(port: number, count: number, active: Load | null = null) {
    this.#idle = new Clients(port, count);
    this.#active = active;
  }

  get connections(): number {
    return this.#idle.fds.length + (this.#active?.connections ?? 0);
  }

  run(milliseconds: number, latencies: Latencies): number {
    return this.#active?.run(milliseconds, latencies) ?? 0;
  }

  [Symbol.dispose](): void {
    this.#active?.[Symbol.dispose]();
    this.#idle[Symbol.dispose]();
  }
}
