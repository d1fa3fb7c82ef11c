/**
 * The loop: waits for file objects, dispatches their events to callbacks, and calls
 * timers.
 *
 * @module
 */

import { checkTimeout } from "../backends/deadline.ts";
import { createSelector } from "../backends/selectors.ts";
import {
  CLOSING,
  EVENT_READ,
  type FileObject,
  type LoopSelector,
  type SelectorKey,
} from "../backends/selector.ts";
import { type Callback, checkCallback } from "./callback.ts";
import { endGathering } from "./datagram_outbox.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Lifecycle } from "./lifecycle.ts";
import { type Owned, OwnedResources } from "./owned.ts";
import { PromiseWaits } from "./promise_waits.ts";
import { QueuedBytes } from "./queued_bytes.ts";
import {
  type ReactorOptions,
  type ServeOptions,
  untilIdleOf,
  yieldIntervalOf,
} from "./reactor_options.ts";
import { createErrorPrinter, Reports } from "./reports.ts";
import { Schedule } from "./schedule.ts";
import { openDenoDescriptors } from "./sharing/deno_descriptors.ts";
import type { Serving } from "./sharing/serving.ts";
import type { ServedLoop } from "./sharing/shared_loop.ts";
import { type ReactorStatistics, statisticsOf } from "./statistics.ts";
import type { Timer } from "./timers.ts";
import { type TurnBound, TurnWaits } from "./turn_waits.ts";
import { wake, Waker } from "./waker.ts";

/** The machine inside a `Reactor`, which documents the methods that both have. */
export class Loop implements ServedLoop {
  /** The resources that are closed with the loop. */
  readonly resources: OwnedResources = new OwnedResources();
  readonly reports: Reports;
  readonly queued: QueuedBytes;
  readonly promises: PromiseWaits;
  readonly dispatcher: Dispatcher;
  readonly schedule: Schedule;
  /** Called with the key of a callback that is unregistered because it keeps throwing. */
  onFailing: ((key: SelectorKey<Callback>) => void) | null = null;
  readonly #life = new Lifecycle();
  readonly #selector: LoopSelector<Callback>;
  readonly #yieldInterval: number;
  readonly #turnWaits = new TurnWaits();
  #waker: Waker | null = null;
  /** Registrations that keep neither `run()` nor the process alive. */
  #unreferenced = 0;
  /** Registered file objects of the reactor itself. */
  readonly #internal = new Set<FileObject>();
  #referenced = true;
  /** The sharing of the thread; null outside of `serve()`, and until it has begun. */
  #serving: Serving | null = null;
  #served: Promise<void> | null = null;
  /** Whether `serve()` ends when nothing is left to wait for. */
  #untilIdle = false;
  #turns = 0;
  #acceptBackOffs = 0;

  /** Checks the options of a reactor, and creates its selector. */
  constructor(options: ReactorOptions = {}) {
    this.#yieldInterval = yieldIntervalOf(options);
    this.queued = new QueuedBytes(options.maximumQueued ?? Infinity);
    this.reports = new Reports(
      options.onError ?? createErrorPrinter(),
      () => this.#life.stopping = true,
    );
    const onChange = (): void => this.#serving?.changed();
    this.promises = new PromiseWaits(onChange);
    this.#selector = options.selector ?? createSelector<Callback>();
    this.dispatcher = new Dispatcher(
      this.#selector,
      this.reports,
      (fileobj) => this.#endFailing(fileobj),
    );
    this.schedule = new Schedule(this.dispatcher, onChange);
  }

  get selector(): LoopSelector<Callback> {
    return this.#selector;
  }

  get running(): boolean {
    return this.#life.running;
  }

  get closed(): boolean {
    return this.#life.closed;
  }

  register<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    this.checkOpen();
    checkCallback(callback);
    const key = this.#selector.register(fileobj, events, callback as Callback);
    this.dispatcher.observer?.registered(key.fd);
    this.#serving?.changed();
    return key as SelectorKey<Callback, F>;
  }

  modify<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    this.checkOpen();
    checkCallback(callback);
    const key = this.#selector.modify(fileobj, events, callback as Callback);
    this.#serving?.changed();
    return key as SelectorKey<Callback, F>;
  }

  unregister(
    fileobj: FileObject,
    options?: { readonly closing?: boolean },
  ): SelectorKey<Callback> {
    this.checkOpen();
    const key = this.#selector.unregister(fileobj, options);
    this.#serving?.changed();
    return key;
  }

  /**
   * Unregisters a descriptor that is closed next, if it is registered. A change that the
   * system refused may have ended the registration, or its owner.
   */
  forget(fileobj: FileObject): void {
    try {
      this.#selector.unregister(fileobj, CLOSING);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    this.#serving?.changed();
  }

  /** Unregisters a descriptor that stays open, if it is registered, as `forget()` does. */
  withdraw(fileobj: FileObject): void {
    try {
      this.unregister(fileobj);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Watches a descriptor for the reactor itself: statistics and `run()` leave it out. */
  watch(fileobj: FileObject, onReady: () => void): void {
    this.#selector.register(fileobj, EVENT_READ, () => {
      this.dispatcher.events--;
      onReady();
    });
    this.#internal.add(fileobj);
    this.#serving?.changed();
  }

  unwatch(fileobj: FileObject): void {
    if (this.closed) return;
    this.withdraw(fileobj);
    this.#internal.delete(fileobj);
  }

  /** Whether a registered file object is one of the reactor itself. */
  isInternal(fileobj: FileObject): boolean {
    return this.#internal.has(fileobj);
  }

  callSoon(callback: () => void): void {
    this.checkOpen();
    this.schedule.addSoon(callback);
    this.#serving?.interrupt();
  }

  callLater(milliseconds: number, callback: () => void): Timer {
    return this.#addTimer(milliseconds, callback, 0);
  }

  callEvery(milliseconds: number, callback: () => void): Timer {
    if (!(milliseconds > 0)) {
      throw new RangeError(`Cannot call every ${milliseconds} milliseconds`);
    }
    return this.#addTimer(milliseconds, callback, milliseconds);
  }

  #addTimer(
    milliseconds: number,
    callback: () => void,
    interval: number,
  ): Timer {
    this.checkOpen();
    const timer = this.schedule.addTimer(milliseconds, callback, interval);
    this.#serving?.expect(timer.deadline);
    return timer;
  }

  get wakeFd(): number {
    this.checkOpen();
    return this.#needWaker().wakeFd;
  }

  wake(): void {
    wake(this.wakeFd);
    this.#serving?.interrupt();
  }

  run(): void {
    this.#begin("running");
    try {
      this.promises.block();
      // stop() came before: one turn that does not wait.
      if (this.#life.stopping) this.turn(0);
      while (!this.#life.stopping && this.#hasWork()) this.turn(Infinity);
    } finally {
      this.promises.unblock();
      this.#end();
    }
  }

  runOnce(timeout: number = 0): boolean {
    const longest = checkTimeout(timeout);
    this.#begin("running");
    try {
      this.turn(longest);
      return this.#hasWork();
    } finally {
      this.#end();
    }
  }

  serve(options: ServeOptions = {}): Promise<void> {
    const untilIdle = untilIdleOf(options);
    this.#begin("serving");
    this.#untilIdle = untilIdle;
    const served = this.#serve(options.signal);
    // A serve() that cannot begin has ended already.
    if (this.running) this.#served = served;
    return served;
  }

  async #serve(signal: AbortSignal | undefined): Promise<void> {
    const abort = (): void => this.stop();
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) this.stop();
    try {
      openDenoDescriptors();
      this.#needWaker();
      // run() does not need it: a start without it is a millisecond shorter.
      const { Serving } = await import("./sharing/serving.ts");
      this.#serving = await Serving.begin(this, this.#yieldInterval);
      try {
        await this.#serving.share();
      } finally {
        await this.#serving.end();
        this.#serving = null;
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#end();
    }
  }

  stop(): void {
    this.#life.stopping = true;
    this.#serving?.interrupt();
  }

  /** Resolves when a `serve()` under way has ended. */
  async ended(): Promise<void> {
    await this.#served;
  }

  close(): void {
    const { state } = this.#life;
    if (state === "closed" || state === "closing") return;
    this.#life.enter("closing", "Reactor is running: stop it before closing");
    this.resources.destroyAll((error) => this.reports.report(error));
    // No turn follows: resources report their ends now.
    this.schedule.callSoon();
    this.dispatcher.observer?.end();
    this.#life.state = "closed";
    this.schedule.clear();
    this.#turnWaits.clear();
    // A parked wait still uses the selector: it ends first.
    if (state === "serving") return this.stop();
    this.#release();
    this.reports.throwFailure();
  }

  setRef(referenced: boolean): void {
    this.#referenced = referenced;
    this.#serving?.interrupt();
  }

  stats(): ReactorStatistics {
    return statisticsOf(this.dispatcher, {
      turns: this.#turns,
      timers: this.schedule.timers,
      registered: this.#registered(),
      bytesQueued: this.queued.bytes,
      acceptBackOffs: this.#acceptBackOffs,
    });
  }

  /** Calls a callback outside of the dispatch; reports the error that it throws. */
  guard(callback: () => void): void {
    this.dispatcher.call(callback);
  }

  /**
   * Closes a resource with the loop.
   *
   * @throws {Deno.errors.BadResource} if the loop is closed or closing, as where a
   *   program reconnects in `onClose`
   */
  own(resource: Owned): void {
    this.#life.checkNotClosing();
    this.resources.add(resource);
  }

  disown(resource: Owned): void {
    this.resources.remove(resource);
  }

  /** Has an operation fail if nothing runs the loop within a second. */
  awaitTurn(operation: TurnBound): void {
    if (!this.running) this.#turnWaits.add(operation);
  }

  forgetTurn(operation: TurnBound): void {
    this.#turnWaits.remove(operation);
  }

  /** Counts registrations that keep neither `run()` nor the process alive. */
  countUnreferenced(difference: 1 | -1): void {
    this.#unreferenced += difference;
    this.#serving?.interrupt();
  }

  /** Counts a suspension of accepting. */
  countBackOff(acceptor: Disposable, error: unknown): void {
    this.#acceptBackOffs++;
    this.dispatcher.observer?.acceptBackedOff(acceptor, error);
  }

  turn(longest: number, most?: number): number {
    const timeout = Math.min(longest, this.timeout());
    const count = this.#selector.wait(timeout, most);
    this.#process(count);
    return count;
  }

  #process(count: number): void {
    this.promises.resolvedWithoutTurn = 0;
    this.#turns++;
    this.#life.dispatching = true;
    try {
      if (count > 0) this.dispatcher.dispatch(count);
      this.schedule.callDue();
    } finally {
      this.#life.dispatching = false;
    }
  }

  /**
   * Unregisters a file object whose callback keeps throwing: it would be ready again at
   * once. Returns whether it was registered.
   */
  #endFailing(fileobj: FileObject): boolean {
    const key = this.closed ? undefined : this.#selector.getMap().get(fileobj);
    if (key === undefined) return false;
    this.withdraw(fileobj);
    this.onFailing?.(key);
    return true;
  }

  timeout(): number {
    return this.schedule.timeout();
  }

  ending(): boolean {
    return this.#life.stopping || this.closed;
  }

  events(): number {
    return this.dispatcher.events;
  }

  keepsAlive(): boolean {
    return this.#referenced && this.#hasWork();
  }

  isDone(): boolean {
    return this.#untilIdle && !this.#hasWork() && this.promises.size === 0;
  }

  /** Counts registered file objects, except those of the reactor itself. */
  #registered(): number {
    return this.#selector.getMap().size - this.#internal.size;
  }

  /** Returns whether `run()` goes on. */
  #hasWork(): boolean {
    return this.#registered() > this.#unreferenced || this.schedule.hasWork;
  }

  #needWaker(): Waker {
    if (this.#waker === null) {
      this.#waker = Waker.registeredWith(this.#selector, this.dispatcher);
      this.#internal.add(this.#waker);
    }
    return this.#waker;
  }

  #begin(state: "running" | "serving"): void {
    this.checkOpen();
    endGathering();
    this.#life.enter(state, "Reactor is already running");
    this.#turnWaits.clear();
  }

  #end(): void {
    this.#served = null;
    if (this.#life.end()) this.#release();
    this.reports.throwFailure();
  }

  #release(): void {
    this.#selector.close();
    this.#waker?.close();
    this.#waker = null;
    // Their registrations ended with the selector.
    this.#internal.clear();
    this.#unreferenced = 0;
  }

  /** @throws {Deno.errors.BadResource} if the loop is closed */
  checkOpen(): void {
    this.#life.checkOpen();
  }
}
