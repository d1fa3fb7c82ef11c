/**
 * Fields that few streams use: allocated on demand, to keep idle streams small.
 *
 * @module
 */

import { checkTime, IdleWatch } from "./idle_watch.ts";
import type { Loop } from "./loop.ts";

/** The timeouts of a stream, its error, and a callback that waits for room. */
export class RareFields {
  /** Called once when the queue is empty and the descriptor has room. */
  onWritable: (() => void) | null = null;
  /** The error that ended the stream. */
  error: Error | undefined = undefined;
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
