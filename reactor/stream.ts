/**
 * A stream of bytes on a descriptor, in push mode: a callback gets received bytes, a
 * queue keeps written ones. `stream_state.ts` has its states.
 *
 * @module
 */

import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
} from "../backends/selector.ts";
import { loopOf } from "./endpoint.ts";
import { interrupted } from "./interrupted.ts";
import { DESTROY } from "./owned.ts";
import { PullReader, readTwiceError } from "./pull_reader.ts";
import { owningBuffer } from "./receive_buffer.ts";
import type { StreamCallbacks } from "./stream_callbacks.ts";
import {
  CLOSE_UNREPORTED,
  CLOSED,
  CLOSING,
  CORKED,
  ENDING,
  LEVEL_TRIGGERED,
  LIFE,
  PAUSED,
  READ,
  READ_ENDED,
  READ_ONLY,
  WRITE,
  WRITE_ENDED,
} from "./stream_state.ts";
import { needRare, rareOf, settingsOf, StreamWriter } from "./stream_writer.ts";
import { EDGE_READ } from "./transport.ts";

/**
 * A stream of bytes, driven by the callbacks `onData`, `onEnd`, `onDrain` and
 * `onClose`, see `StreamCallbacks`. They are called with the stream as the last
 * argument, so that one function can serve many streams. `Connection` is the stream
 * of a socket.
 *
 * Methods never call back; the loop calls. Bytes are received while `onData` is set
 * and the stream is not paused. Without `onData` they stay in the system's buffer
 * until `end()` is done. From then on they are discarded, so that the peer's end of
 * file is noticed and the stream closed.
 *
 * `readable`, or `for await`, is the other way to read: bytes are received when a chunk
 * is asked for. It needs `serve()`.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * for await (const chunk of reactor.open("README.md")) console.log(chunk.length);
 * ```
 */
export class Stream extends StreamWriter
  implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  /**
   * Called at the peer's end of file. If it is not set, this side ends too, once its
   * queue is sent.
   */
  onEnd: StreamCallbacks<this>["onEnd"] | null | undefined = null;
  #onData: StreamCallbacks<this>["onData"] | null = null;
  #onClose: StreamCallbacks<this>["onClose"] | null = null;
  /** Whether received bytes go to `onData` now. */
  get reading(): boolean {
    return this.#onData !== null && (this.state & READ) === 0 && !this.closed;
  }

  /** Whether the peer's end of file was received. */
  get readEnded(): boolean {
    return (this.state & READ) === READ_ENDED;
  }

  /** The error that ended the stream, if an error did. */
  get error(): Error | undefined {
    return rareOf(this)?.error;
  }

  /**
   * Called with received bytes, in order. The chunk is the callback's to keep and to
   * transfer, and its buffer holds nothing else, unless `reuseBuffer` was asked for.
   * Without a callback nothing is received, until `end()` is done: from then on
   * received bytes are discarded. A callback that is set later gets later bytes.
   *
   * @throws {TypeError} if it is set after `readable` was used
   */
  get onData(): StreamCallbacks<this>["onData"] | null {
    return this.#onData;
  }

  set onData(callback: StreamCallbacks<this>["onData"] | null | undefined) {
    if (callback && this.#reader !== null) throw readTwiceError();
    this.#onData = callback ?? null;
    this.updateInterest();
  }

  /**
   * The received bytes as a `ReadableStream`, which receives when a chunk is asked for.
   * At the end of file the stream ends, unless `onEnd` is set or `writable` is in use.
   * To cancel it closes the stream, unless `writable` is in use.
   *
   * @throws {TypeError} if `onData` is set
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#onData !== null) throw readTwiceError();
    return (needRare(this).reader ??= this.#createReader()).readable;
  }

  /** Reads chunk by chunk, by `readable`. To leave the loop closes the stream. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return this.readable.values();
  }

  /**
   * Called once, after all other callbacks, with the error if one ended the stream. A
   * callback that is set after the end is called in the next iteration.
   */
  get onClose(): StreamCallbacks<this>["onClose"] | null {
    return this.#onClose;
  }

  set onClose(callback: StreamCallbacks<this>["onClose"] | null | undefined) {
    this.#onClose = callback ?? null;
    if (!callback || !this.is(CLOSE_UNREPORTED) || loopOf(this).closed) return;
    this.state &= ~CLOSE_UNREPORTED;
    loopOf(this).callSoon(() => this.#reportClose());
  }

  /**
   * Stops receiving, flushes, and closes. While connecting, it cancels the connect
   * unless bytes are queued.
   *
   * With unread input of a TCP peer, the system closes with a reset (RFC 1122, section
   * 4.2.2.13). The peer gets `Deno.errors.ConnectionReset` instead of an end of file,
   * and may lose the last bytes that were sent to it. To reply and close, call
   * `end()`, which reads until the peer's end of file.
   */
  override close(): void {
    if ((this.state & LIFE) >= CLOSING) return;
    const writes = (this.state & WRITE) === 0 ? ENDING : this.state & WRITE;
    this.state = this.state & ~(CORKED | LIFE | WRITE) | CLOSING | writes;
    if (this.file !== null) this.flushGuarded();
    else if (!this.hasQueued) this.finish(undefined);
  }

  /**
   * Closes at once and discards the queue. A TCP peer gets a reset instead of an end
   * of file, and may lose bytes that the system has taken.
   *
   * @param error Passed to `onClose`. Default: none
   * @param reset Whether to reset. Otherwise the peer gets the bytes that the system has
   *   taken, and an end of file. Unread input resets all the same, see `close()`.
   *   Default: true
   */
  override abort(error?: Error, reset: boolean = true): void {
    if (this.closed) return;
    if (reset && this.file !== null) {
      settingsOf(this).transport.reset(this.file);
    }
    this.finish(error);
  }

  /** Called by the loop when it is closed. */
  override [DESTROY](error?: Error): void {
    this.abort(error);
  }

  /**
   * Stops receiving until `resume()`. The peer's end of file is not noticed meanwhile.
   * The peer cannot send more once the buffers of the system are full.
   */
  pause(): void {
    if ((this.state & READ) === 0) this.state |= PAUSED;
    this.updateInterest();
  }

  /** Receives again after `pause()`. */
  resume(): void {
    this.state &= ~PAUSED;
    rareOf(this)?.noteResumed();
    this.updateInterest();
  }

  /**
   * Ends the stream with `Deno.errors.TimedOut` after a time without a byte in either
   * direction, which may be exceeded by a quarter.
   *
   * @param milliseconds The time; 0 for none, which is the default
   * @throws {RangeError} if the time is negative or not a number
   */
  setIdleTimeout(milliseconds: number): void {
    const rare = needRare(this);
    rare.setIdleTimeout(this.closed ? null : loopOf(this), milliseconds, () => {
      this.#timeOut("Nothing was sent or received in time");
    });
    rare.setReferenced(!this.unreferenced);
  }

  /**
   * Ends the stream with `Deno.errors.TimedOut` after a time in which nothing was
   * received, whatever was sent. It may be exceeded by a quarter. While the stream is
   * paused no time counts.
   *
   * @param milliseconds The time; 0 for none, which is the default
   * @throws {RangeError} if the time is negative or not a number
   */
  setReadTimeout(milliseconds: number): void {
    const rare = needRare(this);
    rare.setReadTimeout(this.closed ? null : loopOf(this), milliseconds, () => {
      if (!this.is(PAUSED)) this.#timeOut("Nothing was received in time");
    });
    rare.setReferenced(!this.unreferenced);
  }

  /** Keeps `run()` and the process alive while this is open. This is the default. */
  override ref(): void {
    super.ref();
    rareOf(this)?.setReferenced(true);
  }

  /** Lets `run()` return and the process end although this is open. */
  override unref(): void {
    super.unref();
    rareOf(this)?.setReferenced(false);
  }

  /** Called once, before the descriptor is closed. */
  protected closing(_error: Error | undefined): void {}

  /** The one callback of all streams: the stream itself is the file object. */
  static readonly #onReady = (fileobj: FileObject, events: number): void => {
    (fileobj as Stream).#ready(events);
  };

  #ready(events: number): void {
    try {
      if ((events & EVENT_READ) !== 0) this.#receive(events);
      if ((events & EVENT_WRITE) !== 0 && !this.closed) this.handleRoom();
    } catch (error) {
      this.finish(error as Error);
    }
  }

  /** Serves `readable`; null unless it was asked for. */
  get #reader(): PullReader | null {
    return rareOf(this)?.reader ?? null;
  }

  #createReader(): PullReader {
    const reader: PullReader = new PullReader({
      receive: (memory) => this.#receiveInto(memory),
      readEnded: () => this.readEnded,
      endError: () => this.closed ? this.error ?? interrupted() : null,
      waits: () => loopOf(this).awaitTurn(reader),
      changed: () => this.updateInterest(),
      ended: () => this.#endReading(),
      failed: (error) => this.finish(error as Error),
      cancelled: () => this.#cancelReading(),
    });
    return reader;
  }

  #receiveInto(memory: Uint8Array<ArrayBuffer>): number {
    const count = settingsOf(this).transport.receive(this.file!, memory);
    if (count > 0) rareOf(this)!.noteReceived();
    return count;
  }

  /** Closes the stream, or discards input while the rest is written. */
  #cancelReading(): void {
    if (this.#isWritten()) this.updateInterest();
    else this.close();
  }

  /** Whether a `writable` is in use. */
  #isWritten(): boolean {
    return (this.state & WRITE) === 0 && !!rareOf(this)?.sink;
  }

  /** Whether received bytes go to the program. */
  protected override isRead(): boolean {
    if (this.readEnded) return false;
    return this.#onData !== null || this.#reader?.isCancelled === false;
  }

  /** Receives once for each event, so that one stream does not hold up the others. */
  #receive(events: number): void {
    const onData = this.#onData;
    if (onData === null) return this.#receiveUnwanted();
    const { buffer, transport } = settingsOf(this);
    const chunk = buffer.receive(transport, this.file!);
    if (chunk === null) return;
    if (chunk.length === 0) return this.#endReading();
    rareOf(this)?.noteReceived();
    // Read before the callback, which may run another reactor with the same buffer.
    const more = events !== EVENT_READ || buffer.full;
    try {
      onData(chunk, this);
    } catch (error) {
      loopOf(this).reports.report(error);
      this.abort(error as Error);
    }
    if (more) this.#fallBackToLevel();
  }

  /**
   * Makes read interest level-triggered. There may be more without another edge:
   * bytes beyond the buffer, the end of file, or bytes behind urgent data. A receive
   * stops short at urgent data.
   */
  #fallBackToLevel(): void {
    if (this.interest !== EDGE_READ) return;
    this.state |= LEVEL_TRIGGERED;
    this.updateInterest();
  }

  /** Discards input, of which only the end of file matters; else stops receiving. */
  #receiveUnwanted(): void {
    if (this.isRead()) return this.#reader!.serve();
    if (!this.#isDiscarding()) return this.updateInterest();
    const { transport } = settingsOf(this);
    const count = owningBuffer().discard(transport, this.file!);
    if (count === null) return;
    if (count === 0) this.#endReading();
    else rareOf(this)?.noteReceived();
  }

  /** Whether this side has ended and only the peer's end of file is still to come. */
  #isDiscarding(): boolean {
    const state = this.state & (READ | WRITE | READ_ONLY);
    return state === WRITE_ENDED && !this.isRead();
  }

  #endReading(): void {
    if (this.readEnded) return;
    const isRead = this.isRead();
    this.state = this.state & ~READ | READ_ENDED;
    const { onEnd } = this;
    if (onEnd) this.guard(() => onEnd.call(this, this));
    // Nothing follows the input of a descriptor that is open for reading only.
    if (this.is(READ_ONLY) || (!onEnd && isRead && !this.#isWritten())) {
      this.end();
    }
    this.closeIfEnded();
    if (!this.closed) this.updateInterest();
  }

  /** Calls a callback of the program. If it throws, only its own stream is aborted. */
  protected override guard(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      loopOf(this).reports.report(error);
      this.abort(error as Error);
    }
  }

  /** Ends the stream if both halves have ended. */
  protected override closeIfEnded(): void {
    const ends = this.state & (READ | WRITE);
    if (ends === (READ_ENDED | WRITE_ENDED)) this.finish(undefined);
  }

  #timeOut(message: string): void {
    this.abort(new Deno.errors.TimedOut(message));
  }

  /** Ends the stream: the descriptor is free at once, `onClose` is called from the loop. */
  protected override finish(error: Error | undefined): void {
    if (this.closed) return;
    this.state = this.state & ~LIFE | CLOSED;
    if (error !== undefined) needRare(this).error = error;
    this.closing(error);
    this.leave();
    this.discardQueue();
    this.#reader?.fail(() => error ?? interrupted());
    rareOf(this)?.stop();
    this.file?.close();
    settingsOf(this).released();
    // Most short-lived connections have no onClose: then nothing is called.
    if (this.#onClose !== null || rareOf(this)?.onWritable) {
      const onClose = (): void => this.#reportClose();
      const { dispatcher } = loopOf(this);
      loopOf(this).callSoon(dispatcher.named(onClose, this.#onClose));
    } else this.state |= CLOSE_UNREPORTED;
  }

  /** Calls onClose last, then drops all references. */
  #reportClose(): void {
    const onClose = this.#onClose;
    const rare = needRare(this);
    const { onWritable, error } = rare;
    rare.onWritable = null;
    this.onEnd =
      this.onDrain =
      this.#onData =
      this.#onClose =
        null;
    if (onClose === null) this.state |= CLOSE_UNREPORTED;
    // If this one throws, onClose is called all the same.
    if (onWritable !== null) loopOf(this).guard(onWritable);
    onClose?.(error, this);
  }

  /** Updates the registration. A stream that the system refuses to watch is closed. */
  protected override updateInterest(): void {
    const idle = this.#reader?.isIdle === true;
    this.setStandby(idle && !this.wantsRoom && !this.#isDiscarding());
    const wanted = this.#wantedEvents();
    if (wanted === this.interest) return;
    try {
      this.watch(wanted, Stream.#onReady);
    } catch (error) {
      this.#refused(error as Error);
    }
  }

  /** Reports the refusal to `onError` if there is no `onClose`. */
  #refused(error: Error): void {
    const waits = rareOf(this)?.onWritable;
    this.finish(error);
    if (waits) return;
    loopOf(this).callSoon(() => {
      if (this.is(CLOSE_UNREPORTED)) loopOf(this).reports.report(error);
    });
  }

  #wantedEvents(): number {
    if (this.file === null || this.closed) return 0;
    const writes = this.wantsRoom;
    const reads = (this.state & (READ | LIFE)) === 0 &&
      (this.#onData !== null || this.#reader?.wantsInput ||
        this.#isDiscarding());
    if (!reads) return writes ? EVENT_WRITE : 0;
    if (writes) return EVENT_READ | EVENT_WRITE;
    return this.#canUseEdge() ? EDGE_READ : EVENT_READ;
  }

  /** Whether edge-triggered reads are safe. While input is discarded, they are not. */
  #canUseEdge(): boolean {
    return this.#onData !== null && !this.is(LEVEL_TRIGGERED) &&
      (loopOf(this).selector.supported & EDGE_READ) === EDGE_READ &&
      settingsOf(this).transport.drains(this.file!);
  }
}
