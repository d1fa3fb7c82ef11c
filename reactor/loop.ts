/**
 * The loop: waits, calls back, keeps time, and shares its thread with Deno.
 *
 * @module
 */

import { checkTimeout } from "../backends/deadline.ts";
import { createSelector } from "../backends/default_selector.ts";
import {
  CLOSING,
  EVENT_READ,
  type FileObject,
  type LoopSelector,
  type SelectorKey,
} from "../backends/selector.ts";
import { takeDenoDescriptors } from "./sharing/deno_descriptors.ts";
import { type Callback, checkCallback } from "./callback.ts";
import type { Parking, Seat } from "./parking.ts";
import { checkOptions, type OptionNames } from "../backends/options.ts";
import { Failures, ReportLimit, tooManyFailures } from "./failures.ts";
import { DESTROY, type Owned, PLACE } from "./owned.ts";
import { printError } from "./print_error.ts";
import type { SharedLoop, Sharing } from "./sharing/sharing.ts";
import {
  type Measurement,
  type ReactorStatistics,
  Stopwatch,
} from "./statistics.ts";
import { now } from "./clock.ts";
import { type Timer, TimerQueue } from "./timers.ts";
import { wake, Waker } from "./waker.ts";

/** How many promises are resolved without a turn until the next one. */
const MOST_AT_ONCE = 128;

/** How a reactor is made. */
export interface LoopOptions {
  /** What it waits with: `new DefaultSelector()`, if left out. It is closed with the reactor. */
  readonly selector?: LoopSelector<Callback>;
  /**
   * Called with what a callback throws; the loop goes on. For what peers can cause at
   * will, such as answers that the system does not send, it is called once a second
   * for each kind of error. If left out, errors are written to standard error. What it
   * throws itself ends `run()` or `serve()` with that error, after the turn.
   */
  readonly onError?: (error: unknown) => void;
  /**
   * Milliseconds of `serve()` between two turns of Deno's loop, while busy: 1, if left
   * out. There may be twice as many while Deno has neither timers nor I/O.
   */
  readonly yieldInterval?: number;
  /**
   * The most bytes of memory that its connections and datagram sockets may queue
   * together, each chunk and message counted with 256 beside its own: no limit, if
   * left out. Above it, a write that would have to be queued aborts its connection,
   * and a message is refused, with a `RangeError`.
   */
  readonly maximumQueued?: number;
  /** Takes the time of callbacks for `stats()`, and tells of slow ones. */
  readonly measure?: Measurement | boolean;
}

const LOOP_OPTIONS: OptionNames<LoopOptions> = {
  selector: true,
  onError: true,
  yieldInterval: true,
  maximumQueued: true,
  measure: true,
};

/** How `serve()` runs. */
export interface ServeOptions {
  /** Stops the reactor, as `stop()` does. */
  readonly signal?: AbortSignal;
  /**
   * Ends when nothing is left to wait for, as `run()` does, instead of waiting for
   * what may be registered later: false, if left out.
   */
  readonly untilIdle?: boolean;
}

const SERVE_OPTIONS: OptionNames<ServeOptions> = {
  signal: true,
  untilIdle: true,
};

/** What waits for a promise, which does not move while `run()` has the thread. */
export interface PromiseBound {
  /** Called when it would wait in vain. */
  blocked(): void;
}

/** How many timers are called in one turn: the rest waits until I/O had its turn. */
const TIMERS_PER_TURN = 1024;

/** How a loop stands. */
type State = "idle" | "running" | "serving" | "closing" | "closed";

/**
 * Waits for file objects and calls back. What it knows nothing of is
 * connections: `Reactor` adds them.
 */
export class Loop implements Disposable, AsyncDisposable {
  /** Bytes that connections have queued. */
  protected bytesQueued = 0;
  /** How often accepting was suspended. */
  protected acceptBackOffs = 0;
  readonly #selector: LoopSelector<Callback>;
  readonly #onError: (error: unknown) => void;
  readonly #yieldInterval: number;
  readonly #maximumQueued: number;
  /** Memory of what is queued: it is what the maximum is of. */
  #memoryQueued = 0;
  readonly #stopwatch: Stopwatch | null;
  readonly #timers = new TimerQueue(() => this.#changed());
  readonly #owned: Owned[] = [];
  readonly #promiseBound = new Set<PromiseBound>();
  /** Whether `run()` has the thread, from its first turn to its last. */
  #hasThread = false;
  #soon: (() => void)[] = [];
  #waker: Waker | null = null;
  #unreferenced = 0;
  #internal = 0;
  #referenced = true;
  #state: State = "idle";
  #stopping = false;
  readonly #failures = new Failures();
  readonly #reports = new ReportLimit();
  /** What `onError` has thrown in this turn. */
  #failure: { readonly error: unknown } | null = null;
  #dispatching = false;
  #parking: Parking | null = null;
  /** The place of this reactor among those that serve; null while it does not. */
  #seat: Seat | null = null;
  #served: Promise<void> | null = null;
  /** Whether `serve()` ends with nothing left to wait for. */
  #untilIdle = false;
  /** How many promises were resolved without a turn since the last one. */
  #goingOn = 0;
  #turns = 0;
  #events = 0;

  /**
   * Makes a reactor, and its selector.
   *
   * @throws {TypeError} if an option is unknown
   * @throws {RangeError} if the yield interval is not a positive number, or
   *   `maximumQueued` none from 0
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   */
  constructor(options: LoopOptions = {}) {
    checkOptions(options, LOOP_OPTIONS);
    const { yieldInterval = 1, measure = false } = options;
    const { maximumQueued = Infinity } = options;
    if (!(yieldInterval > 0)) {
      throw new RangeError(`Cannot yield every ${yieldInterval} milliseconds`);
    }
    if (!(maximumQueued >= 0)) {
      throw new RangeError(`Cannot queue ${maximumQueued} bytes at the most`);
    }
    this.#yieldInterval = yieldInterval;
    this.#maximumQueued = maximumQueued;
    this.#onError = options.onError ?? printError;
    this.#stopwatch = measure === false
      ? null
      : new Stopwatch(measure === true ? {} : measure);
    this.#selector = options.selector ?? createSelector<Callback>();
  }

  /** What the reactor waits with. */
  get selector(): LoopSelector<Callback> {
    return this.#selector;
  }

  /** Whether `run()` or `serve()` is under way. */
  get running(): boolean {
    return this.#state === "running" || this.#state === "serving";
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Calls back whenever a file object is ready.
   *
   * @param fileobj A descriptor, or an object with an `fd`
   * @param events `EVENT_READ`, `EVENT_WRITE` or both, and what else the selector has
   * @param callback Called with the file object, as the type that it was registered
   *   with, and the events that are there. It may unregister, register, close and stop
   *   whatever it likes. After it has thrown a hundred times in a row it is unregistered
   * @throws {TypeError} if it is not a function
   * @throws as `Selector.register`
   */
  register<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    this.#checkOpen();
    checkCallback(callback);
    const key = this.#selector.register(fileobj, events, callback as Callback);
    this.#changed();
    return key as SelectorKey<Callback, F>;
  }

  /**
   * Waits for other events, or calls another callback.
   *
   * @param fileobj The file object as it was registered, which the callback is called
   *   with: found by its number too
   * @throws as `Selector.modify`
   */
  modify<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    this.#checkOpen();
    checkCallback(callback);
    const key = this.#selector.modify(fileobj, events, callback as Callback);
    this.#changed();
    return key as SelectorKey<Callback, F>;
  }

  /**
   * Ends the callbacks of a file object: before it is closed, or after. One that
   * is ready in this very turn is not called either.
   *
   * @throws as `Selector.unregister`
   */
  unregister(fileobj: FileObject): SelectorKey<Callback> {
    this.#checkOpen();
    const key = this.#selector.unregister(fileobj);
    this.#changed();
    return key;
  }

  /**
   * Unregisters a file object that is closed next, as the last that has the file
   * open: with epoll and kqueue it costs no call.
   *
   * @throws as `Selector.unregister`
   */
  unregisterClosing(fileobj: FileObject): SelectorKey<Callback> {
    this.#checkOpen();
    const key = this.#selector.unregister(fileobj, CLOSING);
    this.#changed();
    return key;
  }

  /**
   * As `unregisterClosing()`, for what may be registered no more: a change that the
   * system has refused ends a registration, and so may the owner of the descriptor.
   *
   * @ignore
   */
  forget(fileobj: FileObject): void {
    try {
      this.#selector.unregister(fileobj, CLOSING);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    this.#changed();
  }

  /**
   * As `unregister()`, for what may be registered no more, as with `forget()`.
   *
   * @ignore
   */
  withdraw(fileobj: FileObject): void {
    try {
      this.unregister(fileobj);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /**
   * Calls a function in the next turn, after the callbacks of what is ready.
   * Functions are called in the order in which they were given.
   *
   * @throws {TypeError} if it is not a function
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  callSoon(callback: () => void): void {
    this.#checkOpen();
    checkCallback(callback);
    this.#soon.push(callback);
    this.#interrupt();
  }

  /**
   * Calls a function once, after a time that is never cut short.
   *
   * @param milliseconds 0 or less: in the next turn
   * @param callback What it throws goes to `onError`
   * @returns the timer, to call it off
   * @throws {TypeError} if the time is not a number, or the callback no function
   * @throws {Deno.errors.BadResource} if the reactor is closed
   *
   * @example
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assert } from "@std/assert";
   *
   * using reactor = new Reactor();
   * const start = performance.now();
   * reactor.callLater(20, () => assert(performance.now() - start >= 20));
   * reactor.callLater(60_000, () => {}).cancel();
   * reactor.run(); // returns after 20 milliseconds
   * ```
   */
  callLater(milliseconds: number, callback: () => void): Timer {
    return this.#addTimer(milliseconds, callback, 0);
  }

  /**
   * Calls a function again and again. Each call is due one interval after the one
   * before was due, so that delays do not add up; calls that a busy loop missed
   * are left out.
   *
   * @param milliseconds The interval, more than 0
   * @param callback What it throws goes to `onError`, and the timer goes on
   * @returns the timer, to call it off
   * @throws {RangeError} if the interval is not a positive number
   * @throws {TypeError} if the callback is not a function
   * @throws {Deno.errors.BadResource} if the reactor is closed
   *
   * @example
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * using reactor = new Reactor();
   * let ticks = 0;
   * const timer = reactor.callEvery(5, () => {
   *   if (++ticks === 3) timer.cancel();
   * });
   * reactor.run(); // returns when no timer is left
   * assertEquals(ticks, 3);
   * ```
   */
  callEvery(milliseconds: number, callback: () => void): Timer {
    if (!(milliseconds > 0)) {
      throw new RangeError(`Cannot call every ${milliseconds} milliseconds`);
    }
    return this.#addTimer(milliseconds, callback, milliseconds);
  }

  /**
   * The descriptor that `wake()` takes in another thread.
   *
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  get wakeFd(): number {
    this.#checkOpen();
    return this.#needWaker().wakeFd;
  }

  /**
   * Ends a wait that is under way, or else the next one.
   *
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  wake(): void {
    this.#checkOpen();
    wake(this.#needWaker().wakeFd);
    this.#interrupt();
  }

  /**
   * Waits and calls back until `stop()` is called or nothing is left to wait for.
   * The thread is the reactor's meanwhile: no promise, timer or signal listener
   * of Deno moves. A connect to a name, which is looked up by a promise, fails.
   *
   * @throws {Deno.errors.Busy} if the reactor is running
   * @throws {Deno.errors.BadResource} if it is closed
   */
  run(): void {
    this.#begin("running");
    this.#hasThread = true;
    try {
      for (const waiting of this.#promiseBound) waiting.blocked();
      // Stopped before it began: one look, and back.
      if (this.#stopping) this.#turn(0);
      while (!this.#stopping && this.#hasWork()) this.#turn(this.#timeout());
    } finally {
      this.#hasThread = false;
      this.#end();
    }
  }

  /**
   * Takes one turn: waits once, calls back, and returns.
   *
   * @param timeout The longest wait, in milliseconds: none, if left out
   * @returns whether something is left to wait for
   * @throws {TypeError} if the timeout is not a number
   * @throws as `run`
   */
  runOnce(timeout: number = 0): boolean {
    const longest = checkTimeout(timeout);
    this.#begin("running");
    try {
      this.#turn(Math.min(longest, this.#timeout()));
      return this.#hasWork();
    } finally {
      this.#end();
    }
  }

  /**
   * Waits and calls back beside everything else in this thread: promises,
   * `fetch`, timers, `Deno.serve`. While busy it gives Deno's loop a turn every
   * `yieldInterval` milliseconds; while idle it costs nothing. It keeps the
   * process open as long as something is registered.
   *
   * @returns resolves when `stop()` or `close()` is called, or the signal is aborted;
   *   with `untilIdle`, also when nothing is left to wait for
   * @throws {Deno.errors.Busy} if the reactor is running
   * @throws {Deno.errors.BadResource} if it is closed
   * @throws {SystemError} `EMFILE`, `ENFILE`: rejects, if fewer than 12 descriptors are free
   *
   * @example
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   *
   * await using reactor = new Reactor();
   * const stopped = reactor.serve({ signal: AbortSignal.timeout(20) });
   * await new Promise((resolve) => setTimeout(resolve, 5)); // Deno goes on beside it
   * await stopped;
   * ```
   */
  serve(options: ServeOptions = {}): Promise<void> {
    checkOptions(options, SERVE_OPTIONS);
    this.#begin("serving");
    this.#untilIdle = options.untilIdle ?? false;
    const served = this.#serve(options.signal);
    // What cannot begin has ended already.
    if (this.running) this.#served = served;
    return served;
  }

  /**
   * Ends `run()` or `serve()` after this turn. Before they begin, it makes `run()`
   * look once and return. The reactor may run again.
   */
  stop(): void {
    this.#stopping = true;
    this.#interrupt();
  }

  /**
   * Closes the reactor, with all its listeners and connections and its selector;
   * the file objects that were registered stay open. Closing again does nothing.
   *
   * @throws {Deno.errors.Busy} if a callback calls it: `stop()` comes first
   */
  close(): void {
    if (this.#state === "closed" || this.#state === "closing") return;
    if (this.#dispatching || this.#state === "running") {
      throw new Deno.errors.Busy("Reactor is running: stop it before closing");
    }
    const serving = this.#state === "serving";
    this.#state = "closing";
    this.#destroyOwned();
    this.#state = "closed";
    this.#timers.clear();
    // A parked wait still uses the selector: it ends first.
    if (serving) return this.stop();
    this.#release();
    this.#throwFailure();
  }

  /** Makes the reactor keep the process open while it serves, as at the beginning. */
  ref(): void {
    this.#referenced = true;
    this.#interrupt();
  }

  /** Lets the process end although the reactor serves. */
  unref(): void {
    this.#referenced = false;
    this.#interrupt();
  }

  /**
   * What the reactor has done so far.
   *
   * @example Find the callback that holds everybody up
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assert, assertEquals } from "@std/assert";
   *
   * const slow: string[] = [];
   * using reactor = new Reactor({
   *   measure: { slow: 5, onSlow: ({ name }) => slow.push(name) },
   * });
   * reactor.callSoon(function compress() {
   *   const start = performance.now();
   *   while (performance.now() - start < 6);
   * });
   * reactor.run();
   * assertEquals(slow, ["compress"]);
   * assert(reactor.stats().longestCallback >= 5);
   * ```
   */
  stats(): ReactorStatistics {
    return {
      turns: this.#turns,
      events: this.#events,
      readyPerWait: this.#turns === 0 ? 0 : this.#events / this.#turns,
      callbackTime: this.#stopwatch?.total ?? 0,
      longestCallback: this.#stopwatch?.longest ?? 0,
      timers: this.#timers.size,
      registered: this.#registered(),
      bytesQueued: this.bytesQueued,
      acceptBackOffs: this.acceptBackOffs,
    };
  }

  /** Closes the reactor at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Stops the reactor, waits until it has, and closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const served = this.#served;
    this.close();
    await served;
  }

  /**
   * Calls back for somebody: what it throws is told, and goes no further.
   *
   * @ignore
   */
  guard(callback: () => void): void {
    this.#call(callback, callback.name);
  }

  /**
   * Tells the owner of the reactor what went wrong.
   *
   * @ignore
   */
  report(error: unknown): void {
    try {
      this.#onError(error);
    } catch (thrown) {
      this.#failure ??= { error: thrown };
      this.#stopping = true;
    }
  }

  /**
   * As `report()`, of what a peer can cause as often as it likes: once a second for
   * each kind of error.
   *
   * @ignore
   */
  reportSometimes(error: unknown): void {
    if (this.#reports.admits(error, now())) this.report(error);
  }

  /**
   * Has a resource closed with the reactor.
   *
   * @throws {Deno.errors.BadResource} if the reactor is being closed: whoever
   *   reconnects when a connection ends would do so then, too
   * @ignore
   */
  own(resource: Owned): void {
    this.#checkOpen();
    if (this.#state === "closing") throw closedError();
    resource[PLACE] = this.#owned.length;
    this.#owned.push(resource);
  }

  /**
   * Forgets a resource that has closed itself.
   *
   * @ignore
   */
  disown(resource: Owned): void {
    if (this.#owned[resource[PLACE]] !== resource) return;
    // The last takes its place: a set would cost five times the memory.
    const last = this.#owned.pop()!;
    if (last === resource) return;
    this.#owned[resource[PLACE]] = last;
    last[PLACE] = resource[PLACE];
  }

  /**
   * What is closed with the reactor.
   *
   * @ignore
   */
  resources(): readonly Owned[] {
    return this.#owned;
  }

  /**
   * Keeps what waits for a promise, until `forgetPromise()`, or tells it at once that
   * it would wait in vain.
   *
   * @returns false if so
   * @ignore
   */
  awaitPromise(waiting: PromiseBound): boolean {
    if (this.#hasThread) waiting.blocked();
    else this.#promiseBound.add(waiting);
    return !this.#hasThread;
  }

  /**
   * Forgets what has waited for a promise.
   *
   * @ignore
   */
  forgetPromise(waiting: PromiseBound): void {
    this.#promiseBound.delete(waiting);
  }

  /**
   * Whether a promise may be resolved without a turn, which counts as once more.
   * Promises go on before Deno's loop does: a connection that always has something
   * would leave no turn to the reactor, nor to Deno's timers.
   *
   * @ignore
   */
  mayGoOn(): boolean {
    if (this.#goingOn === MOST_AT_ONCE) return false;
    this.#goingOn++;
    return true;
  }

  /**
   * Counts registrations for whose sake the process is not kept open, nor `run()` going.
   *
   * @ignore
   */
  countUnreferenced(difference: 1 | -1): void {
    this.#unreferenced += difference;
    this.#interrupt();
  }

  /**
   * Counts registrations that are the reactor's own.
   *
   * @ignore
   */
  countInternal(difference: 1 | -1): void {
    this.#internal += difference;
  }

  /**
   * Takes an event that is the reactor's own out of the count.
   *
   * @ignore
   */
  countOwnEvent(): void {
    this.#events--;
  }

  /**
   * Counts what connections and datagram sockets have queued.
   *
   * @ignore
   */
  countQueued(bytes: number, memory: number): void {
    this.bytesQueued += bytes;
    this.#memoryQueued += memory;
  }

  /**
   * What is to be told of something that would have to be queued; null while there is room.
   *
   * @ignore
   */
  refusal(): RangeError | null {
    if (this.#memoryQueued <= this.#maximumQueued) return null;
    return new RangeError(
      `Cannot queue more than ${this.#maximumQueued} bytes in all`,
    );
  }

  /**
   * Counts a suspension of accepting.
   *
   * @ignore
   */
  countBackOff(): void {
    this.acceptBackOffs++;
  }

  #addTimer(
    milliseconds: number,
    callback: () => void,
    interval: number,
  ): Timer {
    this.#checkOpen();
    if (typeof milliseconds !== "number" || Number.isNaN(milliseconds)) {
      throw new TypeError(`Cannot call in ${milliseconds} milliseconds`);
    }
    checkCallback(callback);
    // A timer without a deadline is one that is over.
    const deadline = Math.min(
      now() + Math.max(milliseconds, 0),
      Number.MAX_VALUE,
    );
    const timer = this.#timers.add(callback, deadline, interval);
    if (this.#seat !== null && deadline < this.#seat.deadline) {
      this.#interrupt();
    }
    return timer;
  }

  #turn(timeout: number, most?: number): number {
    const count = this.#selector.wait(timeout, most);
    this.#process(count);
    return count;
  }

  /** What follows a wait: the callbacks of what is ready, of the clock, of the queue. */
  #process(count: number): void {
    this.#goingOn = 0;
    this.#turns++;
    this.#dispatching = true;
    try {
      if (count > 0) this.#dispatch(count);
      if (this.#timers.size > 0) this.#callTimers();
      if (this.#soon.length > 0) this.#callSoon();
    } finally {
      this.#dispatching = false;
    }
  }

  /**
   * The hot path: one mask and one call for each event, with nothing allocated
   * and no key touched. One `try` for all of them; it is entered anew after a throw.
   */
  #dispatch(count: number): void {
    const selector = this.#selector;
    const failures = this.#failures;
    let fileobj: FileObject = -1;
    if (this.#stopwatch !== null) return this.#dispatchMeasured(count);
    for (let index = 0; index < count;) {
      try {
        while (index < count) {
          const current = index++;
          const events = selector.readyEvents(current);
          // Gone, or not asked for any more, by an earlier callback of this turn.
          if (events === 0) continue;
          this.#events++;
          const callback = selector.readyData(current)!;
          fileobj = selector.readyFileobj(current)!;
          callback(fileobj, events);
          if (failures.size > 0) failures.forget(fileobj);
        }
      } catch (error) {
        this.#failed(fileobj, error);
      }
    }
  }

  #dispatchMeasured(count: number): void {
    for (let index = 0; index < count; index++) {
      const events = this.#selector.readyEvents(index);
      if (events === 0) continue;
      this.#events++;
      const callback = this.#selector.readyData(index)!;
      const fileobj = this.#selector.readyFileobj(index)!;
      const started = now();
      try {
        callback(fileobj, events);
        this.#failures.forget(fileobj);
      } catch (error) {
        this.#failed(fileobj, error);
      }
      this.#stopwatch!.note(callback.name, now() - started);
    }
  }

  /** What throws whenever it is called is ready again at once, and would be for ever. */
  #failed(fileobj: FileObject, error: unknown): void {
    this.report(error);
    if (!this.#failures.note(fileobj) || this.closed) return;
    if (this.#selector.getMap().get(fileobj) === undefined) return;
    this.withdraw(fileobj);
    this.report(tooManyFailures(error));
  }

  #callTimers(): void {
    const time = now();
    for (const timer of this.#timers.takeDue(time, TIMERS_PER_TURN)) {
      // Called off by one that was due in the same turn.
      if (!timer.active) continue;
      this.#timers.settle(timer, time);
      this.#call(() => timer.fire(), "timer");
    }
  }

  #callSoon(): void {
    const callbacks = this.#soon;
    this.#soon = [];
    for (const callback of callbacks) this.#call(callback, callback.name);
  }

  #call(callback: () => void, name: string): void {
    const started = this.#stopwatch === null ? 0 : now();
    try {
      callback();
    } catch (error) {
      this.report(error);
    }
    this.#stopwatch?.note(name, now() - started);
  }

  /** How long a wait may be: not at all with something queued, else until the next timer. */
  #timeout(): number {
    if (this.#soon.length > 0) return 0;
    const deadline = this.#timers.nextDeadline();
    return deadline === Infinity ? Infinity : Math.max(deadline - now(), 0);
  }

  /** How many file objects are registered, the reactor's own left out. */
  #registered(): number {
    return this.#selector.getMap().size - this.#internal;
  }

  /** Whether the process stays while a wait is parked. */
  #keepsOpen(): boolean {
    return this.#referenced && this.#hasWork();
  }

  /** Whether there is something for whose sake `run()` goes on. */
  #hasWork(): boolean {
    return this.#registered() > this.#unreferenced ||
      this.#timers.referenced > 0 || this.#soon.length > 0;
  }

  /** Whether nothing is left to wait for, a promise of Deno's included. */
  #isIdle(): boolean {
    return !this.#hasWork() && this.#promiseBound.size === 0;
  }

  async #serve(signal: AbortSignal | undefined): Promise<void> {
    const abort = (): void => this.stop();
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) this.stop();
    try {
      takeDenoDescriptors();
      this.#needWaker();
      const sharing = await this.#createSharing();
      try {
        await sharing.share();
      } finally {
        await this.#parking!.leave(this.#seat!);
        this.#seat = null;
        await sharing.close();
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#end();
    }
  }

  /** Loads what `run()` does not need: a start without it is a millisecond shorter. */
  async #createSharing(): Promise<Sharing> {
    const { Sharing } = await import("./sharing/sharing.ts");
    const { parking } = await import("./parking.ts");
    const shared: SharedLoop = {
      ending: () => this.#stopping || this.closed,
      due: () => this.#timeout() === 0,
      events: () => this.#events,
      turn: (longest, most) =>
        this.#turn(Math.min(longest, this.#timeout()), most),
      park: () => this.#park(),
      alone: () => parking.seats === 1,
      lookAfterParked: () => parking.look(),
      wentOn: () => this.#goingOn,
    };
    const sharing = Sharing.create(this, shared, this.#yieldInterval);
    try {
      this.#seat = parking.enter(this.#selector);
    } catch (error) {
      await sharing.close();
      throw error;
    }
    this.#parking = parking;
    return sharing;
  }

  /**
   * Waits on another thread. With nothing to wait for, `wake()` and what is
   * registered later still end the wait, which does not keep the process open.
   */
  async #park(): Promise<void> {
    // What the selector reports without asking the system ends no wait there.
    if (this.#turn(0) > 0 || this.#stopping) return;
    const timeout = this.#timeout();
    if (timeout === 0) return;
    if (this.#untilIdle && this.#isIdle()) return this.stop();
    await this.#parking!.park(this.#seat!, now() + timeout, this.#keepsOpen());
    if (!this.closed) this.#turn(0);
  }

  /**
   * A parked wait that does not see what changed is ended, and begins anew; so is
   * one that keeps the process open for no reason any more.
   */
  #changed(): void {
    const seat = this.#seat;
    if (seat === null || seat.resume === null) return;
    if (
      this.#selector.waitFd < 0 || seat.referenced !== this.#keepsOpen()
    ) this.#interrupt();
  }

  /** Ends the parked wait, if there is one. */
  #interrupt(): void {
    if (this.#seat !== null) this.#parking!.unpark(this.#seat);
  }

  #needWaker(): Waker {
    if (this.#waker === null) {
      const waker = new Waker();
      try {
        this.#selector.register(waker, EVENT_READ, drainWaker);
      } catch (error) {
        waker.close();
        throw error;
      }
      this.#waker = waker;
      this.countInternal(1);
    }
    return this.#waker;
  }

  #begin(state: "running" | "serving"): void {
    this.#checkOpen();
    if (this.#state !== "idle" || this.#dispatching) {
      throw new Deno.errors.Busy("Reactor is already running");
    }
    this.#state = state;
  }

  #end(): void {
    this.#stopping = false;
    this.#served = null;
    if (this.closed) this.#release();
    else this.#state = "idle";
    this.#throwFailure();
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }

  #destroyOwned(): void {
    for (const resource of [...this.#owned]) {
      try {
        resource[DESTROY]();
      } catch (error) {
        this.report(error);
      }
    }
    this.#owned.length = 0;
    // What they have to say of their end is said now: no turn follows.
    this.#callSoon();
    this.#soon = [];
  }

  #release(): void {
    this.#selector.close();
    this.#waker?.close();
    this.#waker = null;
    // The registrations that were counted are gone with the selector.
    this.#internal = this.#unreferenced = 0;
  }

  #checkOpen(): void {
    if (this.closed) throw closedError();
  }
}

function closedError(): Error {
  return new Deno.errors.BadResource("Reactor is closed");
}

function drainWaker(waker: FileObject): void {
  (waker as Waker).drain();
}
