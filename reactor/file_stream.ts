/**
 * The stream of a file, which others may have open, too.
 *
 * A regular file needs no selector, because it is always ready: epoll refuses it (EPERM),
 * and kqueue does not report its end. A device without readiness, as `/dev/zero`, is
 * always ready as well. Each turn of the loop reads one slice of such a file, so that
 * others are served meanwhile.
 *
 * @module
 */

import { isSystemError } from "../backends/ffi/errors.ts";
import type { OpenFile } from "../backends/ffi/open_file.ts";
import type { Callback } from "./callback.ts";
import type { StreamSettings } from "./connection_options.ts";
import { loopOf } from "./endpoint.ts";
import type { Loop } from "./loop.ts";
import { Stream } from "./stream.ts";
import type { Timer } from "./timers.ts";

/** A stream of a pipe, a terminal, a device, a regular file. */
export class FileStream extends Stream {
  /** Reports the file in each turn; null while the selector watches it. */
  #turns: EachTurn | null = null;

  /** Called by `Reactor.open`. */
  constructor(loop: Loop, file: OpenFile, settings: StreamSettings) {
    super(loop, file, settings);
    if (file.isAlwaysReady) this.#turns = new EachTurn(loop, this);
  }

  protected override get interest(): number {
    return this.#turns?.wanted ?? super.interest;
  }

  protected override watch(wanted: number, onReady: Callback): void {
    try {
      if (this.#turns === null) return super.watch(wanted, onReady);
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EPERM") throw error;
    }
    this.#turns ??= new EachTurn(loopOf(this), this);
    this.#turns.watch(wanted, onReady, this.unreferenced);
  }

  /**
   * Ends the registration by a call of its own. While others have the file open, a
   * selector does not forget it when this descriptor is closed.
   */
  protected override leave(): void {
    if (this.interest !== 0) this.watch(0, ignored);
    super.leave();
  }

  override ref(): void {
    super.ref();
    this.#turns?.setReferenced(true);
  }

  override unref(): void {
    super.unref();
    this.#turns?.setReferenced(false);
  }
}

function ignored(): void {}

/** Reports a file as ready once in each turn. */
class EachTurn {
  /** The events that are reported; 0 for none. */
  wanted = 0;
  readonly #loop: Loop;
  readonly #stream: FileStream;
  #onReady: Callback = ignored;
  #timer: Timer | null = null;
  #unreferenced = false;

  constructor(loop: Loop, stream: FileStream) {
    this.#loop = loop;
    this.#stream = stream;
  }

  watch(wanted: number, onReady: Callback, unreferenced: boolean): void {
    this.wanted = wanted;
    this.#onReady = onReady;
    this.#unreferenced = unreferenced;
    if (wanted !== 0) return this.#schedule();
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Whether the turns keep `run()` and the process alive. */
  setReferenced(referenced: boolean): void {
    this.#unreferenced = !referenced;
    if (referenced) this.#timer?.ref();
    else this.#timer?.unref();
  }

  #schedule(): void {
    if (this.#timer !== null) return;
    this.#timer = this.#loop.callLater(0, () => this.#report());
    if (this.#unreferenced) this.#timer.unref();
  }

  #report(): void {
    this.#timer = null;
    this.#onReady(this.#stream, this.wanted);
    if (this.wanted !== 0) this.#schedule();
  }
}
