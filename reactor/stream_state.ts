/**
 * The states of a stream, and the states that may follow each.
 *
 * They share one number with a few flags, because ten thousand idle connections pay
 * for each field. 0 means open, reading and writing: most writes check nothing else.
 *
 * | state | value         | may become                                                   |
 * | ----- | ------------- | ------------------------------------------------------------ |
 * | life  | `CONNECTING`  | open; closing by `close()` with bytes queued; closed         |
 * |       | open          | closing by `close()` with bytes queued; closed               |
 * |       | `CLOSING`     | closed when the queue is sent, by `abort()` or by an error   |
 * |       | `CLOSED`      | final                                                        |
 * | read  | reading       | paused by `pause()`; ended by the end of file                |
 * |       | `PAUSED`      | reading by `resume()`                                        |
 * |       | `READ_ENDED`  | final                                                        |
 * | write | writing       | ending by `end()` or `close()`                               |
 * |       | `ENDING`      | ended when the queue is sent                                 |
 * |       | `WRITE_ENDED` | final                                                        |
 *
 * When reading and writing have both ended, the stream is closed.
 *
 * @module
 */

import type { StreamSettings } from "./connection_options.ts";
import { checkTime, IdleWatch } from "./idle_watch.ts";
import type { Loop } from "./loop.ts";
import type { PullReader } from "./pull_reader.ts";
import type { StreamSink } from "./stream_sink.ts";
import type { TransportFile } from "./transport.ts";

export const LIFE = 3 << 0;
export const CONNECTING = 1 << 0;
export const CLOSING = 2 << 0;
export const CLOSED = 3 << 0;

export const READ = 3 << 2;
export const PAUSED = 1 << 2;
export const READ_ENDED = 2 << 2;

export const WRITE = 3 << 4;
export const ENDING = 1 << 4;
export const WRITE_ENDED = 2 << 4;

/** `write()` returned false, and `onDrain` is still to be called. */
export const DRAIN_PENDING = 1 << 6;
/** `cork()` was called. */
export const CORKED = 1 << 7;
/** A write found no room in the queue. No byte may follow it: the stream is aborted soon. */
export const REFUSED = 1 << 8;
/** Closed while no `onClose` was set. */
export const CLOSE_UNREPORTED = 1 << 9;
/** Read interest is level-triggered from now on. */
export const LEVEL_TRIGGERED = 1 << 10;
/** The descriptor was opened for reading only. */
export const READ_ONLY = 1 << 11;

/** A direction that the descriptor was not opened for has ended from the start. */
export function initialState(
  file: TransportFile,
  { transport }: StreamSettings,
): number {
  const read = transport.receives(file) ? 0 : READ_ENDED;
  const write = transport.sends(file) ? 0 : READ_ONLY;
  return read | write;
}

/**
 * Fields that few streams use: its timeouts, its error, and a callback that waits for
 * room. They are allocated on demand, to keep idle streams small.
 */
export class RareFields {
  /** Called once when the queue is empty and the descriptor has room. */
  onWritable: (() => void) | null = null;
  /** The error that ended the stream. */
  error: Error | undefined = undefined;
  /** Serves `readable`, once it was asked for. */
  reader: PullReader | null = null;
  /** Serves `writable`, once it was asked for. */
  sink: StreamSink | null = null;
  /** The fields of a subclass of `Stream`. */
  subclass: object | null = null;
  /** Detects that no byte is sent or received. */
  #idle: IdleWatch | null = null;
  /** Detects that no byte is received. */
  #silence: IdleWatch | null = null;

  /**
   * Replaces the idle timeout.
   *
   * @param loop The loop; null once the stream is closed, which needs no timeout
   * @param milliseconds 0 for none
   * @param onIdle Called after the time
   * @throws {RangeError} if the time is negative or not a number
   */
  setIdleTimeout(
    loop: Loop | null,
    milliseconds: number,
    onIdle: () => void,
  ): void {
    checkTime(milliseconds, "an idle timeout");
    this.#idle?.stop();
    this.#idle = newWatch(loop, milliseconds, onIdle);
  }

  /**
   * Replaces the read timeout.
   *
   * @throws as `setIdleTimeout`
   */
  setReadTimeout(
    loop: Loop | null,
    milliseconds: number,
    onIdle: () => void,
  ): void {
    checkTime(milliseconds, "a read timeout");
    this.#silence?.stop();
    this.#silence = newWatch(loop, milliseconds, onIdle);
  }

  /** Begins both timeouts anew, after bytes were received. */
  noteReceived(): void {
    this.noteSent();
    this.noteResumed();
  }

  /** Begins the read timeout anew, after a pause. */
  noteResumed(): void {
    if (this.#silence !== null) this.#silence.active = true;
  }

  /** Begins the idle timeout anew, after bytes were sent. */
  noteSent(): void {
    if (this.#idle !== null) this.#idle.active = true;
  }

  /** Makes the timeouts keep `run()` and the process alive, or not. */
  setReferenced(referenced: boolean): void {
    for (const watch of [this.#idle, this.#silence]) {
      if (referenced) watch?.ref();
      else watch?.unref();
    }
  }

  /** Cancels the timeouts. */
  stop(): void {
    this.#idle?.stop();
    this.#silence?.stop();
  }
}

function newWatch(
  loop: Loop | null,
  milliseconds: number,
  onIdle: () => void,
): IdleWatch | null {
  if (loop === null || milliseconds === 0) return null;
  return new IdleWatch(loop, milliseconds, onIdle);
}
