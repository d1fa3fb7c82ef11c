/**
 * Streams of files: of any descriptor, and of a regular file.
 *
 * @module
 */

import type { Callback } from "./callback.ts";
import { loopOf } from "./endpoint.ts";
import { Stream } from "./stream.ts";
import type { Timer } from "./timers.ts";

/** A stream of a file that others may have open, too. */
export class FileStream extends Stream {
  /**
   * Ends the registration by a call of its own. While others have the file open, a
   * selector does not forget it when this descriptor is closed.
   */
  protected override leave(): void {
    if (this.interest !== 0) this.watch(0, ignored);
    super.leave();
  }
}

function ignored(): void {}

/**
 * A stream of a regular file, which is always ready. It does not need a selector: epoll
 * refuses such files, and kqueue does not report their end. Each turn of the loop reads
 * one slice, so that the others are served meanwhile.
 */
export class RegularFileStream extends Stream {
  #wanted = 0;
  #onReady: Callback = ignored;
  #turn: Timer | null = null;

  protected override get interest(): number {
    return this.#wanted;
  }

  protected override watch(wanted: number, onReady: Callback): void {
    this.#wanted = wanted;
    this.#onReady = onReady;
    if (wanted === 0) this.#cancel();
    else this.#turn ??= this.#nextTurn();
  }

  protected override leave(): void {
    this.#wanted = 0;
    this.#cancel();
    super.leave();
  }

  override ref(): void {
    super.ref();
    this.#turn?.ref();
  }

  override unref(): void {
    super.unref();
    this.#turn?.unref();
  }

  #nextTurn(): Timer {
    const timer = loopOf(this).callLater(0, () => this.#ready());
    if (this.unreferenced) timer.unref();
    return timer;
  }

  #ready(): void {
    this.#turn = null;
    this.#onReady(this, this.#wanted);
    if (this.#wanted !== 0) this.#turn ??= this.#nextTurn();
  }

  #cancel(): void {
    this.#turn?.cancel();
    this.#turn = null;
  }
}
