/**
 * Gives Deno's own event loop a turn: its timers, and its I/O.
 *
 * How a busy thread yields decides who starves. Measured on Deno 2.9.6, once a
 * millisecond beside a saturated reactor, with a ping-pong on Deno's network:
 *
 * | yields by                                      | turn   | rounds a turn |
 * | ---------------------------------------------- | ------ | ------------- |
 * | one `setImmediate`; sixteen; sixty-four        | 15; 39; 118 µs | 0.02; 0.27; 1.06 |
 * | a `nonblocking` call                           | 13 µs  | 0.00          |
 * | a read of Deno's on a TCP connection           | 20 µs  | 1.00          |
 *
 * Deno's loop is a task of a runtime that asks the system only when the task
 * rests, or at every 61st time that it does not. A `setImmediate` does not let it
 * rest: it turns timers and promises, and is a brief turn. What arrives on a pipe
 * that Deno reads is found by asking, as on a connection: it makes a full turn
 * (`bench:sharing` counts 845 to 858 rounds at one each millisecond). After a read Deno
 * reads once more before it asks again, so a byte that comes within two brief
 * turns of the last would be found unasked.
 *
 * @module
 */

import { hasTimers } from "./deno_core.ts";
import { DenoLink } from "./deno_link.ts";
import { DenoSelector } from "../../backends/deno_epoll.ts";
import { now } from "../clock.ts";
import { Waker } from "../waker.ts";

/** How many brief turns after a read Deno has to ask the system for the next. */
const STALE_AFTER = 2;

/** How many brief turns are a full one, where there is no link. */
const BRIEF_TURNS_IN_FULL = 64;

/** How often Deno is asked for its timers, in milliseconds: it takes a microsecond. */
const TIMERS_LOOK_INTERVAL = 10;

/** How often a turn is looked for that has not ended in time, in milliseconds. */
const WATCH_INTERVAL = 50;

/** Turns of Deno's loop, for all reactors of a thread. */
export class DenoTurn {
  #link: DenoLink | null = null;
  #selector: DenoSelector | null = null;
  /** Whether a link was tried in vain: it is not tried again. */
  #unlinkable = false;
  /** How many reactors use it, and how many keep the process open by it. */
  #users = 0;
  #holders = 0;
  /** The full turn that is under way. */
  #turn: Promise<void> | null = null;
  #end: (() => void) | null = null;
  /** When it ends at the latest. */
  #deadline = 0;
  /** Whether Deno's loop did not rest within the last full turn. */
  #restless = false;
  /** Whether the chain of looks is under way: it outlives the turn by one. */
  #looking = false;
  /** How many brief turns are to pass before a read is one that Deno asks for. */
  #fresh = 0;
  /** Whether Deno had timers at the last look, and when the next one is. */
  #timers = true;
  #nextLook = 0;
  #watchdog: ReturnType<typeof setInterval> | null = null;

  /** What Deno waits with; null if that cannot be seen here, or not yet. */
  get selector(): DenoSelector | null {
    return this.#selector;
  }

  /** Whether full turns are as cheap as they can be here. */
  get linked(): boolean {
    return this.#link !== null || this.#unlinkable;
  }

  /** A reactor that serves begins to use it. */
  enter(): void {
    this.#users++;
  }

  /** A reactor that has served has left; resolves when nothing of the last is kept. */
  async leave(): Promise<void> {
    if (--this.#users === 0) await this.#unlink();
  }

  /**
   * Makes the link. Node's part of Deno is loaded for it, in two steps that hold
   * the thread for some milliseconds each.
   *
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  async link(): Promise<void> {
    await this.brief();
    if (this.linked || this.#users === 0) return;
    const ended = (): void => this.#end?.();
    this.#link = DenoLink.create(ended, () => void this.#unlink());
    if (this.#link === null) {
      this.#unlinkable = true;
      return;
    }
    this.#fresh = STALE_AFTER;
    this.#selector = selectorThatWatches(this.#link.fd);
    this.#link.hold(this.#holders > 0);
  }

  /** Whether timers of Deno may be due soon, as it was some milliseconds ago. */
  mayHaveTimers(time: number): boolean {
    if (this.#link === null) return true;
    if (time >= this.#nextLook) {
      this.#nextLook = time + TIMERS_LOOK_INTERVAL;
      this.#timers = hasTimers();
    }
    return this.#timers;
  }

  /** Resolves once Deno has called what is due, without asking the system for more. */
  brief(): Promise<void> {
    return new Promise(this.#afterRound);
  }

  readonly #afterRound = (resolve: () => void): void => {
    if (this.#fresh > 0) this.#fresh--;
    globalThis.setImmediate(resolve);
  };

  /**
   * Resolves once Deno has asked the system, and called what that brought.
   *
   * @param longest Milliseconds after which it has had its turn in any case
   */
  full(longest: number): Promise<void> {
    // One that is under way already serves all who ask.
    return this.#turn ??= this.#takeFull(longest).finally(() =>
      this.#turn = null
    );
  }

  async #takeFull(longest: number): Promise<void> {
    if (this.#link === null) return await this.#manyBrief(longest);
    while (this.#fresh > 0) await this.brief();
    if (this.#link === null) return;
    this.#deadline = now() + longest;
    const ended = new Promise<void>((resolve) => this.#end = resolve);
    this.#link.signal();
    this.#watch();
    if (this.#restless && !this.#looking) this.#look();
    await ended;
    this.#end = null;
    this.#fresh = STALE_AFTER;
    this.#restless = now() >= this.#deadline;
  }

  /** So many that Deno has asked the system on the way. */
  async #manyBrief(longest: number): Promise<void> {
    const deadline = now() + longest;
    for (let count = 0; count < BRIEF_TURNS_IN_FULL; count++) {
      await this.brief();
      if (now() >= deadline) return;
    }
  }

  /**
   * A program whose own promises never rest would keep the read waiting for tens
   * of milliseconds: then the turn ends after its time. Looking keeps Deno's loop
   * from resting, too, so it is not done otherwise.
   */
  #look(): void {
    this.#looking = true;
    globalThis.setImmediate(() => {
      this.#looking = false;
      if (this.#end === null) return;
      if (now() >= this.#deadline) this.#end();
      else this.#look();
    });
  }

  /** Ends a turn whose read never comes: its link is lost, and is given up. */
  #watch(): void {
    if (this.#watchdog !== null) return;
    const watchdog = setInterval(() => {
      const late = this.#end !== null &&
        now() > this.#deadline + WATCH_INTERVAL;
      if (late) void this.#unlink();
      else if (this.#end === null) this.#unwatch();
    }, WATCH_INTERVAL);
    Deno.unrefTimer(watchdog);
    this.#watchdog = watchdog;
  }

  #unwatch(): void {
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#watchdog = null;
  }

  /** Whether the link keeps the process open: only while turns are taken. */
  hold(held: boolean): void {
    const before = this.#holders;
    this.#holders += held ? 1 : -1;
    if ((before === 0) !== (this.#holders === 0)) {
      this.#link?.hold(this.#holders > 0);
    }
  }

  async #unlink(): Promise<void> {
    const link = this.#link;
    this.#link = this.#selector = null;
    this.#unwatch();
    this.#end?.();
    await link?.close();
  }
}

/** What watches a descriptor that was given to Deno; null if that cannot be seen. */
function selectorThatWatches(fd: number): DenoSelector | null {
  let unwatched: Waker;
  try {
    unwatched = new Waker();
  } catch {
    return null;
  }
  try {
    return DenoSelector.find(fd, unwatched.fd);
  } finally {
    unwatched.close();
  }
}

/** The turns of this thread's Deno. */
export const denoTurn: DenoTurn = new DenoTurn();
