/**
 * The writing half of a stream: a queue of bytes that found no room. Its length
 * decides the result of `write()`.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import { bytesOf, copyOf } from "../backends/ffi/memory.ts";
import type { StreamSettings } from "./connection_options.ts";
import { DESCRIBE, Endpoint, loopOf } from "./endpoint.ts";
import { interrupted } from "./interrupted.ts";
import type { Loop } from "./loop.ts";
import { WriteQueue } from "./send_queue.ts";
import type { StreamCallbacks } from "./stream_callbacks.ts";
import { StreamSink } from "./stream_sink.ts";
import {
  CLOSED,
  CLOSING,
  CONNECTING,
  CORKED,
  DRAIN_PENDING,
  ENDING,
  initialState,
  LIFE,
  PAUSED,
  RareFields,
  READ,
  READ_ONLY,
  REFUSED,
  WRITE,
  WRITE_ENDED,
} from "./stream_state.ts";
import type { TransportFile } from "./transport.ts";

/** Text, which is sent as UTF-8, or bytes in a buffer or a view of one. */
export type Chunk = string | ArrayBufferLike | ArrayBufferView;

const encoder = new TextEncoder();

/**
 * The bytes of a chunk.
 *
 * @throws {TypeError} if it is anything else, or its buffer was transferred away
 */
function chunkBytes(chunk: unknown): Uint8Array<ArrayBuffer> {
  return typeof chunk === "string"
    ? encoder.encode(chunk)
    : bytesOf(chunk, "write");
}

function readOnlyError(): Error {
  return new TypeError("Cannot write to a stream that is open for reading");
}

/** The settings that a stream shares with others, for the classes that extend it. */
export let settingsOf: (stream: StreamWriter) => StreamSettings;

/** The rarely used fields of a stream; null until `needRare()` makes them. */
export let rareOf: (stream: StreamWriter) => RareFields | null;

/** Makes the rarely used fields of a stream, unless it has them. */
export let needRare: (stream: StreamWriter) => RareFields;

/**
 * The writing half of a stream. `Stream` extends it with the reading half, and closes
 * both.
 */
export abstract class StreamWriter extends Endpoint {
  /** Called when the queue falls to the low water mark after `write()` returned false. */
  onDrain: StreamCallbacks<this>["onDrain"] | null | undefined = null;
  /** The states and flags of `stream_state.ts`. */
  protected state: number;
  /** The owner of the descriptor; null while connecting. */
  protected file: { readonly fd: number; close(): void } | null;
  readonly #settings: StreamSettings;
  #queue: WriteQueue | null = null;
  #rare: RareFields | null = null;

  /**
   * Called by the reactor.
   *
   * @param file The owner of the descriptor; null while connecting
   * @param settings Shared by the streams of one kind
   */
  constructor(
    loop: Loop,
    file: TransportFile | null,
    settings: StreamSettings,
  ) {
    super(loop);
    this.file = file;
    this.#settings = settings;
    this.state = file === null ? CONNECTING : initialState(file, settings);
  }

  /** The descriptor; -1 while connecting, and once closed. */
  get fd(): number {
    return this.file === null ? -1 : this.file.fd;
  }

  /** Whether the stream has ended, in whatever way. */
  get closed(): boolean {
    return (this.state & LIFE) === CLOSED;
  }

  /** How many bytes wait to be sent. */
  get bufferedAmount(): number {
    return this.#queue === null ? 0 : this.#queue.bytes;
  }

  /**
   * Sends bytes, or queues those that the system does not take. The memory may be used
   * again when this returns. After `end()`, `close()` and the end it has no effect.
   * Above `maximumQueued` it aborts the stream, and `onClose` is called with a
   * `RangeError`.
   *
   * @param data Text, which is sent as UTF-8, bytes in a buffer or any view, or a list
   *   of such chunks, which is sent with one call
   * @returns false if more bytes are queued than the high water mark: `onDrain` follows
   * @throws {TypeError} if the data or a chunk is anything else, its buffer was
   *   transferred away, or the descriptor was opened for reading only. Nothing is sent
   */
  write(data: Chunk | readonly Chunk[]): boolean {
    if (Array.isArray(data)) return this.#writeList(data);
    const bytes = chunkBytes(data);
    if (this.state !== 0 || this.#queue !== null) return this.#append(bytes);
    return this.#send(bytes);
  }

  /** Gathers all writes until `uncork()` into one call. */
  cork(): void {
    this.state |= CORKED;
  }

  /** Sends the writes since `cork()`. */
  uncork(): void {
    this.state &= ~CORKED;
    if (this.file !== null && !this.closed) this.flushGuarded();
  }

  /**
   * Flushes, then half-closes: the peer receives an end of file and may go on sending.
   * The stream closes when the peer ends, too. Until then received bytes go to
   * `onData`, or are discarded, except while the stream is paused.
   *
   * A peer that never ends keeps the stream open: `setIdleTimeout()` ends a silent
   * one, `close()` or `abort()` any other. Only sockets have a half-close: for the
   * peer of another descriptor the end comes with `close()`.
   *
   * @param data Last bytes, or text
   * @throws {TypeError} as `write`
   */
  end(data?: Chunk): void {
    if (data !== undefined) this.write(data);
    if ((this.state & WRITE) !== 0 || this.closed) return;
    this.state = this.state & ~CORKED | ENDING;
    if (this.file !== null) this.flushGuarded();
  }

  /**
   * Calls a function once, when the queue is empty and the system has room. This is
   * for producers without an end, of which each then writes a part in its turn.
   *
   * @param callback Also called at the end of the stream; null to cancel
   */
  whenWritable(callback: (() => void) | null): void {
    needRare(this).onWritable = callback;
    this.updateInterest();
  }

  /**
   * The stream as a `WritableStream`. A write resolves when the queue is no longer than
   * the low water mark. To close it flushes, and ends the stream as `end()` does; if
   * nothing reads the stream, as `close()` does. To abort it discards the queue.
   *
   * @throws {TypeError} if the descriptor was opened for reading only
   */
  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    if (this.is(READ_ONLY)) throw readOnlyError();
    const rare = needRare(this);
    return (rare.sink ??= this.#createSink()).writable;
  }

  /** Called by `reactor.describe()`. */
  override [DESCRIBE](): [
    callback: string,
    bytesQueued: number,
    paused: boolean,
  ] {
    const paused = (this.state & READ) === PAUSED;
    return ["", this.bufferedAmount, paused];
  }

  #createSink(): StreamSink {
    const sink: StreamSink = new StreamSink({
      write: (bytes) => this.write(bytes),
      endError: () => this.writeError(),
      end: () => this.#endBySink(),
      abort: (error) => this.abort(error),
      waits: () => loopOf(this).awaitTurn(sink),
    });
    return sink;
  }

  /** @returns as `WrittenStream.end` */
  #endBySink(): boolean {
    const error = this.#rare!.error;
    if (error !== undefined) throw error;
    if (this.isRead()) this.end();
    else this.close();
    return this.closed || this.is(WRITE_ENDED);
  }

  /** The error of a write that comes too late; null while bytes are accepted. */
  protected writeError(): Error | null {
    if (this.closed) return this.#rare?.error ?? interrupted();
    return this.is(WRITE) ? new TypeError("Cannot write after end()") : null;
  }

  /** Whether received bytes go to the program. */
  protected abstract isRead(): boolean;

  /** Updates the registration after a change of the queue. */
  protected abstract updateInterest(): void;

  /** Ends the stream, with the error if one is the cause. */
  protected abstract finish(error: Error | undefined): void;

  /** Ends the stream if both halves have ended. */
  protected abstract closeIfEnded(): void;

  /** Calls a callback of the program. If it throws, only its own stream is aborted. */
  protected abstract guard(callback: () => void): void;

  /** Ends the stream with an error, and discards the queue. */
  abstract abort(error?: Error, reset?: boolean): void;

  /** Whether bytes wait, or were refused, so that a close has to be late or to fail. */
  protected get hasQueued(): boolean {
    return this.bufferedAmount > 0 || this.is(REFUSED);
  }

  /** Whether room is waited for. */
  protected get wantsRoom(): boolean {
    if (this.#queue !== null) return !this.is(CORKED);
    return this.#rare !== null && this.#rare.onWritable !== null;
  }

  /** Sends without the queue: the system takes most writes whole. */
  #send(data: Uint8Array<ArrayBuffer>): boolean {
    const { length } = data;
    if (length === 0) return true;
    let count: number;
    try {
      count = this.#settings.transport.send(this.file!, data, length);
    } catch (error) {
      this.finish(error as Error);
      return false;
    }
    if (this.#rare !== null && count > 0) this.#rare.noteSent();
    if (count === length) return true;
    return this.#enqueue(data, count === WOULD_BLOCK ? 0 : count);
  }

  /** Handles a write in any state but the usual one. */
  #append(data: Uint8Array<ArrayBuffer>): boolean {
    if (this.is(READ_ONLY)) throw readOnlyError();
    if (this.is(WRITE | REFUSED) || this.closed) return false;
    const queue = this.#queue;
    const direct = queue === null && this.file !== null && !this.is(CORKED);
    if (direct) return this.#send(data);
    if (!this.#isFull()) return this.#enqueue(data, 0);
    const { maximumQueued } = this.#settings;
    return this.#refuse(
      new RangeError(`Cannot queue more than ${maximumQueued} bytes`),
    );
  }

  /** Whether another write would end the stream. */
  #isFull(): boolean {
    const queue = this.#queue;
    return queue !== null && queue.memory > this.#settings.maximumQueued;
  }

  #writeList(list: readonly Chunk[]): boolean {
    const chunks = Array.from(list, chunkBytes);
    const corked = this.is(CORKED);
    const pending = this.state & DRAIN_PENDING;
    this.cork();
    // The chunks are one write, which is admitted, or refused, as a whole.
    const isFull = this.#isFull();
    for (const chunk of chunks) {
      if (isFull || this.#queue === null) this.write(chunk);
      else if (!this.is(WRITE | REFUSED) && !this.closed) {
        this.#enqueue(chunk, 0);
      }
    }
    // Only the bytes that are left of them count.
    this.state = this.state & ~DRAIN_PENDING | pending;
    if (!corked) this.uncork();
    return !this.is(WRITE | REFUSED) && this.#isBelowHighWater();
  }

  /**
   * Queues a copy, because the memory stays the caller's.
   *
   * @returns as `write`
   */
  #enqueue(data: Uint8Array<ArrayBuffer>, sent: number): boolean {
    const refusal = loopOf(this).queued.refusal();
    if (refusal !== null) return this.#refuse(refusal);
    const queue = this.#queue ??= new WriteQueue();
    const { memory } = queue;
    queue.push(copyOf(data, sent));
    loopOf(this).queued.count(data.length - sent, queue.memory - memory);
    this.updateInterest();
    return this.#isBelowHighWater();
  }

  /** @returns false also where the system refused to watch the descriptor */
  #isBelowHighWater(): boolean {
    if (this.bufferedAmount <= this.#settings.highWaterMark) {
      return !this.closed;
    }
    this.state |= DRAIN_PENDING;
    return false;
  }

  /**
   * Sends the queue, then calls the function of `whenWritable()`. The loop calls this
   * when the system has room. Methods use `#flushQueue()`, because they never call back.
   */
  protected handleRoom(): void {
    this.#flushQueue();
    const rare = this.#rare;
    if (rare === null || rare.onWritable === null) return;
    if (this.closed || this.#hasUnsent()) return;
    const callback = rare.onWritable;
    rare.onWritable = null;
    this.guard(callback);
    // The callback is likely to wait again: until then the registration stays.
    this.updateInterest();
  }

  /** Sends the queue; `onDrain` is called from the loop. */
  #flushQueue(): void {
    if (this.#queue !== null && !this.is(CORKED)) this.#sendQueue(this.#queue);
    if (this.#queue === null) this.#flushed();
    const drained = this.#isDrained();
    // `onDrain` is likely to resume: until then the registration stays as it is.
    if (!drained || !this.is(PAUSED)) this.updateInterest();
    if (!drained) return;
    const onDrain = (): void => this.#drain();
    const { dispatcher } = loopOf(this);
    loopOf(this).callSoon(dispatcher.named(onDrain, this.onDrain));
  }

  #sendQueue(queue: WriteQueue): void {
    const { bytes, memory } = queue;
    try {
      this.#settings.transport.sendAll(this.file!, queue);
    } finally {
      // Some bytes may have been sent before an error.
      loopOf(this).queued.count(queue.bytes - bytes, queue.memory - memory);
    }
    if (queue.bytes < bytes) this.#rare?.noteSent();
    if (queue.bytes === 0) this.#queue = null;
  }

  #isDrained(): boolean {
    return this.is(DRAIN_PENDING) && !this.closed &&
      this.bufferedAmount <= this.#settings.lowWaterMark;
  }

  #drain(): void {
    // If the queue was refilled meanwhile, `onDrain` stays pending.
    if (!this.#isDrained()) return;
    this.state &= ~DRAIN_PENDING;
    this.#rare?.sink?.drained();
    this.guard(() => this.onDrain?.(this));
    this.updateInterest();
  }

  #flushed(): void {
    if (this.is(REFUSED)) return;
    if ((this.state & LIFE) === CLOSING) return this.finish(undefined);
    if ((this.state & WRITE) !== ENDING) return;
    this.state = this.state & ~WRITE | WRITE_ENDED;
    this.#rare?.sink?.flushed();
    this.closeIfEnded();
    // close() sends FIN, too: then there is no need for shutdown().
    if (!this.closed) this.#settings.transport.end(this.file!);
  }

  /** Flushes. An error closes the stream, and `onClose` reports it from the loop. */
  protected flushGuarded(): void {
    try {
      this.#flushQueue();
    } catch (error) {
      this.finish(error as Error);
    }
  }

  /** Discards the queue, and settles a write that waits. */
  protected discardQueue(): void {
    const sink = this.#rare?.sink ?? null;
    if (this.closed && this.#hasUnsent()) {
      sink?.fail(this.#rare?.error ?? interrupted());
    } else sink?.flushed();
    if (this.#queue === null) return;
    loopOf(this).queued.count(-this.#queue.bytes, -this.#queue.memory);
    this.#queue = null;
  }

  /** Whether bytes, or the end of file, have not reached the system. */
  #hasUnsent(): boolean {
    return this.#queue !== null || this.is(REFUSED) || this.file === null;
  }

  /** Aborts the stream from the loop. Until then no byte follows the refused ones. */
  #refuse(error: Error): false {
    this.state |= REFUSED;
    loopOf(this).callSoon(() => this.abort(error));
    return false;
  }

  /** Whether one of several states or flags is set. */
  protected is(bits: number): boolean {
    return (this.state & bits) !== 0;
  }

  static {
    settingsOf = (stream): StreamSettings => stream.#settings;
    rareOf = (stream): RareFields | null => stream.#rare;
    needRare = (stream): RareFields => stream.#rare ??= new RareFields();
  }
}
