/**
 * The diagnosis of one loop: counts readiness, measures callbacks, and detects spins and
 * stalls.
 *
 * A spin is a descriptor that is ready a thousand times in a row while no call of this
 * package moves data through it. Another library may read with calls of its own. So the
 * last events before a report are also checked with the system. The descriptor must
 * still be ready after the callback, with as many unread bytes as before.
 *
 * @module
 */

import { fileDescriptor } from "../../backends/ffi/descriptor.ts";
import {
  bytesReadOf,
  bytesWrittenOf,
  closesOf,
  countTransfers,
} from "../../backends/ffi/transfers.ts";
import { isReady, unreadBytes } from "../../backends/ffi/unread_input.ts";
import { EVENT_WRITE, type FileObject } from "../../backends/selector.ts";
import type { Callback } from "../callback.ts";
import { now } from "../clock.ts";
import type { Observer } from "../observer.ts";
import { ReportLimit } from "../reports.ts";
import { type Channels, publishDiagnosis } from "./channels.ts";
import { type Described, describeKey, nameOfCallback } from "./describe.ts";
import type { Diagnosis, DiagnosisOptions } from "./diagnosis.ts";
import { ReadinessCounts } from "./readiness_counts.ts";
import type { StackSampler } from "./stack_sampler.ts";

/** Events in a row without progress that are a spin. */
const SPIN = 1000;

/** The last ones of them, which are checked with the system. */
const CHECKED = 16;

/** Observes a loop while diagnosis is on. */
export class Observation implements Observer {
  callbackTime = 0;
  longestCallback = 0;
  /** How often each descriptor was ready. */
  readonly counts = new ReadinessCounts();
  readonly #described: Described;
  readonly #options: Required<DiagnosisOptions>;
  readonly #channels: Channels;
  readonly #sampler: StackSampler | null;
  readonly #limit = new ReportLimit();
  // The event whose callback is called: no turn begins within a callback.
  #started = 0;
  /** Whether a callback is called, which counts the time of those that it calls. */
  #within = false;
  #fd = -1;
  #closes = 0;
  /** Unread bytes before the callback; null if they are not checked. */
  #unread: number | null = null;

  /** Begins to observe. */
  constructor(
    described: Described,
    options: Required<DiagnosisOptions>,
    channels: Channels,
    sampler: StackSampler | null,
  ) {
    this.#described = described;
    this.#options = options;
    this.#channels = channels;
    this.#sampler = sampler;
    described.loop.dispatcher.observer = this;
    countTransfers();
  }

  end(): void {
    this.#described.loop.dispatcher.observer = null;
    this.#sampler?.close();
  }

  registered(fd: number): void {
    this.counts.registered(fd, now());
  }

  beforeEvent(fileobj: FileObject): void {
    const fd = this.#watchedFd(fileobj);
    this.#fd = fd;
    // The reactor's own only lead to callbacks, each counted alone.
    this.#within = fd !== -1;
    if (fd !== -1) {
      this.#closes = closesOf(fd);
      const checked = this.counts.idle(fd) >= SPIN - CHECKED;
      this.#unread = checked ? unreadBytes(fd) : null;
    }
    this.#started = now();
  }

  afterEvent(fileobj: FileObject, events: number, callback: Callback): void {
    const time = now();
    const took = time - this.#started;
    const fd = this.#fd;
    this.#within = false;
    if (fd === -1) return;
    this.#count(took);
    if (took >= this.#options.stallThreshold) {
      const name = nameOfCallback(fileobj, callback, this.#described);
      this.#noteStall(name, fd, took, "");
    }
    this.#sampler?.renew(time);
    // The callback closed it: the number may have the next owner already.
    if (closesOf(fd) !== this.#closes) return;
    if (this.#progressed(events)) this.counts.countProgress(fd);
    else if (this.counts.countIdle(fd) >= SPIN) this.#noteSpin(fd);
  }

  beforeCall(): number {
    if (this.#within) return NaN;
    this.#within = true;
    return now();
  }

  afterCall(callback: () => void, started: number): void {
    if (Number.isNaN(started)) return;
    this.#within = false;
    const took = now() - started;
    this.#count(took);
    if (took < this.#options.stallThreshold) return;
    const { name } = callback;
    this.#noteStall(
      name || "(anonymous)",
      null,
      took,
      name === "" ? String(callback) : "",
    );
  }

  connectionOpened(connection: Disposable): void {
    const { opened } = this.#channels;
    if (opened.hasSubscribers) opened.publish({ connection });
  }

  connectionClosing(
    connection: Disposable & { readonly fd: number },
    error: Error | undefined,
  ): void {
    const { closed } = this.#channels;
    if (!closed.hasSubscribers) return;
    const { fd } = connection;
    const bytesRead = bytesReadOf(fd);
    const bytesWritten = bytesWrittenOf(fd);
    closed.publish({ connection, error, bytesRead, bytesWritten });
  }

  acceptBackedOff(acceptor: Disposable, error: unknown): void {
    const { backedOff } = this.#channels;
    if (backedOff.hasSubscribers) backedOff.publish({ acceptor, error });
  }

  datagramRefused(datagram: Disposable, error: unknown): void {
    const { refused } = this.#channels;
    if (refused.hasSubscribers) refused.publish({ datagram, error });
  }

  /** Returns the descriptor; -1 of a file object of the reactor itself. */
  #watchedFd(fileobj: FileObject): number {
    const { loop } = this.#described;
    return loop.isInternal(fileobj) ? -1 : fileDescriptor(fileobj);
  }

  #count(milliseconds: number): void {
    this.callbackTime += milliseconds;
    this.longestCallback = Math.max(this.longestCallback, milliseconds);
  }

  /** Whether data was moved since the last event: by the callback, or after a promise. */
  #progressed(events: number): boolean {
    const fd = this.#fd;
    if (this.counts.moved(fd)) return true;
    if (this.#unread === null) return false;
    if (unreadBytes(fd) !== this.#unread) return true;
    const read = (events & ~EVENT_WRITE) !== 0;
    const write = (events & EVENT_WRITE) !== 0;
    return !isReady(fd, { read, write });
  }

  #noteSpin(fd: number): void {
    const key = this.#described.loop.selector.getMap().get(fd);
    if (key === undefined || !this.counts.reports(fd)) return;
    const descriptor = describeKey(key, this.#described);
    this.#report({ kind: "spin", descriptor });
  }

  /** @param kind The source of a function without a name, which distinguishes it */
  #noteStall(
    callback: string,
    fd: number | null,
    milliseconds: number,
    kind: string,
  ): void {
    if (!this.#limit.admits(`${callback} ${fd} ${kind}`, now())) return;
    const count = this.#limit.refused + 1;
    const report = (stack: readonly string[] | null): void =>
      this.#report({ kind: "stall", callback, fd, milliseconds, count, stack });
    if (this.#sampler === null) report(null);
    else this.#sampler.take(milliseconds, report);
  }

  #report(diagnosis: Diagnosis): void {
    const { loop } = this.#described;
    publishDiagnosis(this.#channels, diagnosis);
    try {
      this.#options.onDiagnosis(diagnosis);
    } catch (error) {
      loop.reports.report(error);
    }
  }
}
