/**
 * Gives Deno's event loop a turn: its timers, and its I/O.
 *
 * The way in which a busy thread yields decides which side starves. Measured on Deno
 * 2.9.6, once a millisecond next to a saturated reactor, with a ping-pong on Deno's
 * network:
 *
 * | yields by                               | turn           | rounds a turn    |
 * | --------------------------------------- | -------------- | ---------------- |
 * | one `setImmediate`; sixteen; sixty-four | 15; 39; 118 µs | 0.02; 0.27; 1.06 |
 * | a `nonblocking` call                    | 13 µs          | 0.00             |
 * | a read of Deno's on a descriptor        | 20 µs          | 1.00             |
 *
 * Deno's event loop is a tokio task. tokio polls I/O when the task yields, or at every
 * 61st tick. A `setImmediate` does not make the task yield: it runs timers and promises
 * only. A descriptor that Deno reads is found by polling I/O: waiting for that runs
 * Deno's I/O, too. `bench:sharing` counts 845 to 858 rounds at one each millisecond.
 *
 * Windows has no such pipe: Deno refuses handles, or ends the process, and named pipes
 * need a permission. There a call that takes some microseconds on another thread gives
 * tokio the time to poll: see `brief_call.ts`.
 *
 * After a read Deno reads once more before it polls again. So a byte that arrives within
 * two timer turns of the last one is found without polling.
 *
 * @module
 */

import { DenoLink, type LinkSource, PipeSource } from "./deno_link.ts";
import { DenoEpoll } from "../../backends/deno_epoll.ts";
import { briefCall } from "../../backends/ffi/brief_call.ts";
import { SelectorAlarm } from "../../backends/selector_alarm.ts";
import { now } from "../clock.ts";
import { parking, type Seat } from "../parking.ts";
import { Waker } from "../waker.ts";

/** Timer turns after a read until Deno polls I/O for the next one. */
const STALE_AFTER = 2;

/** Timer turns in which Deno polls I/O about once, before there is a link. */
const TIMER_TURNS_PER_IO = 64;

/** Milliseconds between two checks for a turn that did not end in time. */
const WATCH_INTERVAL = 50;

/** Runs the turns of Deno's loop, for all reactors of a thread. */
export class DenoTurn {
  #link: DenoLink | null = null;
  #epoll: DenoEpoll | null = null;
  /** Whether creating a link has failed: it is not tried again. */
  #unlinkable = false;
  /** Counts reactors that serve, and those that keep the process alive by the link. */
  #users = 0;
  #references = 0;
  /** The I/O turn under way. */
  #turn: Promise<void> | null = null;
  #end: (() => void) | null = null;
  /** Latest end of the I/O turn. */
  #deadline = 0;
  /** Whether Deno's task did not yield within the last I/O turn. */
  #restless = false;
  /** The call on another thread that is under way: it may outlive its turn. */
  #call: Promise<void> | null = null;
  /** Whether the chain of checks is under way: it outlives the turn by one. */
  #checking = false;
  /** Timer turns left until Deno polls I/O before it reads again. */
  #fresh = 0;
  #watchdog: ReturnType<typeof setInterval> | null = null;

  /** The epoll instance of Deno's loop; null before `link()`, and where it is not known. */
  get epoll(): DenoEpoll | null {
    return this.#epoll;
  }

  /** Whether I/O turns are as cheap as they can be on this system. */
  get linked(): boolean {
    return this.#link !== null || this.#unlinkable;
  }

  /** Counts a reactor that begins to serve. */
  enter(): void {
    this.#users++;
  }

  /** Discounts a reactor; after the last one, resolves when the link is closed. */
  async leave(): Promise<void> {
    if (--this.#users === 0) await this.#unlink();
  }

  /**
   * Creates the link. It loads Node's part of Deno, in two steps that block the thread
   * for some milliseconds each.
   *
   * @throws {SystemError} `EMFILE`: no descriptors left
   */
  async link(): Promise<void> {
    await this.runTimers();
    if (this.linked || this.#users === 0) return;
    this.#link = DenoLink.create(
      openSource,
      () => this.#wasRead(),
      () => void this.#unlink(),
    );
    if (this.#link === null) {
      this.#unlinkable = true;
      return parking.useAlarm(null);
    }
    this.#fresh = STALE_AFTER;
    const epoll = findDenoEpoll(this.#link.fd);
    // An eventfd that Deno has read is writable anew, and would never be at rest.
    const rests = !parking.hasAlarm || epoll?.ignoreWrites() === true;
    this.#epoll = rests ? epoll : null;
    this.#link.setRef(this.#references > 0);
  }

  #wasRead(): void {
    this.#fresh = STALE_AFTER;
    this.#end?.();
    parking.takeRung();
  }

  /** Resolves after Deno has called its due timers, without polling I/O. */
  runTimers(): Promise<void> {
    return this.afterTimers(() => {});
  }

  /**
   * Calls a function after Deno has called its due timers, outside of all microtasks.
   * Resolves with its result.
   */
  afterTimers<Result>(call: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#fresh > 0) this.#fresh--;
      globalThis.setImmediate(() => {
        try {
          resolve(call());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /**
   * Resolves after Deno has polled I/O, and called the callbacks of its events.
   *
   * @param longest Milliseconds after which the turn ends in any case
   */
  runIo(longest: number): Promise<void> {
    // All reactors share the turn under way.
    return this.#turn ??= this.#takeIoTurn(longest).finally(() =>
      this.#turn = null
    );
  }

  async #takeIoTurn(longest: number): Promise<void> {
    if (this.#unlinkable) {
      await this.#callBriefly(longest);
      // The result of a call comes before timers: alone it would starve them.
      return await this.runTimers();
    }
    if (this.#link === null) return await this.#takeTimerTurns(longest);
    while (this.#fresh > 0) await this.runTimers();
    if (this.#link === null) return;
    this.#deadline = now() + longest;
    const ended = new Promise<void>((resolve) => this.#end = resolve);
    this.#link.signal();
    this.#watch();
    if (this.#restless && !this.#checking) this.#checkDeadline();
    await ended;
    this.#end = null;
    this.#restless = now() >= this.#deadline;
  }

  /**
   * Resolves at the end of a call on another thread. While the program's promises never
   * pause, tokio looks for ends at about every 31st tick. So there is a timer, too, which
   * Deno calls at each tick.
   */
  async #callBriefly(longest: number): Promise<void> {
    this.#call ??= briefCall().finally(() => this.#call = null);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, longest);
    await Promise.race([this.#call, promise]);
    clearTimeout(timer);
  }

  /** Takes so many timer turns that Deno polls I/O during one of them. */
  async #takeTimerTurns(longest: number): Promise<void> {
    const deadline = now() + longest;
    for (let count = 0; count < TIMER_TURNS_PER_IO; count++) {
      await this.runTimers();
      if (now() >= deadline) return;
    }
  }

  /**
   * Ends the turn at its deadline. A program whose promises never pause would delay the
   * read by tens of milliseconds. Checking itself keeps Deno's task from yielding, so
   * it is done for such programs only.
   */
  #checkDeadline(): void {
    this.#checking = true;
    globalThis.setImmediate(() => {
      this.#checking = false;
      if (this.#end === null) return;
      if (now() >= this.#deadline) this.#end();
      else this.#checkDeadline();
    });
  }

  /** Ends a turn whose read never completes, and closes its broken link. */
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

  /** Counts whether one more reactor keeps the process alive by the link, or one less. */
  setRef(referenced: boolean): void {
    const before = this.#references;
    this.#references += referenced ? 1 : -1;
    if ((before === 0) !== (this.#references === 0)) {
      this.#link?.setRef(this.#references > 0);
    }
  }

  async #unlink(): Promise<void> {
    const link = this.#link;
    this.#link = this.#epoll = null;
    parking.useAlarm(null);
    this.#unwatch();
    this.#end?.();
    await link?.close();
  }
}

/** Opens the source of the link: the alarm of parked reactors, where there is one. */
function openSource(): LinkSource {
  const alarm = SelectorAlarm.create<Seat>();
  parking.useAlarm(alarm);
  return alarm ?? new PipeSource();
}

/** Finds the epoll instance by a descriptor that Deno watches; null if there is none. */
function findDenoEpoll(fd: number): DenoEpoll | null {
  let unwatched: Waker;
  try {
    unwatched = new Waker();
  } catch {
    return null;
  }
  try {
    return DenoEpoll.find(fd, unwatched.fd);
  } finally {
    unwatched.close();
  }
}

/** Turns of the Deno of this thread. */
export const denoTurn: DenoTurn = new DenoTurn();
