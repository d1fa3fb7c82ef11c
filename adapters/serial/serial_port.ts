/**
 * A serial port: a stream on a terminal, with its modem lines.
 *
 * @module
 */

import type { OpenFile } from "../../backends/ffi/open_file.ts";
import type { StreamSettings } from "../../reactor/connection_options.ts";
import { interrupted } from "../../reactor/interrupted.ts";
import type { Loop } from "../../reactor/loop.ts";
import { Stream } from "../../reactor/stream.ts";
import { UNSERVED } from "../../reactor/turn_waits.ts";
import { Drain } from "./drain.ts";
import type { SerialBuffer, SerialLine } from "./line.ts";
import {
  checkSignals,
  inputSignals,
  linesTo,
  type SerialInputSignals,
  type SerialOutputSignals,
} from "./signals.ts";

/**
 * An open serial port, which `openSerial()` returns. It receives and sends as every
 * `Stream` does.
 *
 * If the device is unplugged, the port receives an end of file, and closes unless
 * `onEnd` is set. A later write ends it with the error `EIO`.
 *
 * When it closes, the modes of the terminal are as they were before.
 */
export class SerialPort extends Stream {
  /** The path that it was opened by. */
  readonly path: string;
  readonly #loop: Loop;
  readonly #line: SerialLine;
  readonly #drain: Drain;
  #waits: PromiseWithResolvers<void>[] = [];
  /** Set by `close()`: the port closes when the device has sent everything. */
  #isClosing = false;
  /** Set by `abort()`, and once everything is sent. */
  #closesNow = false;

  /**
   * Called by `openSerial()`.
   *
   * @param byteTime How long one byte takes on the line, in milliseconds
   */
  constructor(
    loop: Loop,
    file: OpenFile,
    settings: StreamSettings,
    line: SerialLine,
    path: string,
    byteTime: number,
  ) {
    super(loop, file, settings);
    this.path = path;
    this.#loop = loop;
    this.#line = line;
    this.#drain = new Drain(
      loop,
      () => this.#unsent(),
      () => !this.unreferenced,
      byteTime,
    );
  }

  /**
   * The modem lines that the other side drives.
   *
   * @throws {SystemError} `ENOTTY` if the device has none, as a pseudoterminal
   * @throws {Deno.errors.BadResource} once closed
   */
  getSignals(): SerialInputSignals {
    this.#checkOpen();
    return inputSignals(this.#line.lines());
  }

  /**
   * Switches the modem lines that this side drives. Both are on after the open.
   *
   * @param signals The lines to change; the others stay as they are
   * @throws {TypeError} if there is no signal, one is unknown, or one is not a boolean
   * @throws as `getSignals`
   *
   * @example Starts many boards anew
   * ```ts ignore
   * port.setSignals({ dataTerminalReady: false });
   * reactor.callLater(100, () => port.setSignals({ dataTerminalReady: true }));
   * ```
   */
  setSignals(signals: SerialOutputSignals): void {
    checkSignals(signals);
    this.#checkOpen();
    this.#line.setLines(linesTo(signals, false), false);
    this.#line.setLines(linesTo(signals, true), true);
    if (signals.break !== undefined) this.#line.setBreak(signals.break);
  }

  /**
   * Waits until the device has sent all written bytes, also those of the queue. It
   * does not block the thread, and may resolve a tenth of a second late.
   *
   * It needs `serve()`: if nothing runs the reactor within a second, it rejects with
   * `Deno.errors.NotSupported`.
   *
   * @returns rejects with the error that ends the port before, or else with
   *   `Deno.errors.Interrupted`
   */
  drain(): Promise<void> {
    if (this.closed) return Promise.reject(this.error ?? interrupted());
    const wait = Promise.withResolvers<void>();
    this.#waits.push(wait);
    if (this.#waits.length === 1) this.#drain.wait(() => this.#drained());
    this.#loop.awaitTurn(this);
    return wait.promise;
  }

  /**
   * Discards received bytes that were not read, and written bytes that were not sent.
   * The peer may have received the first part of a message.
   *
   * @param buffer Default: "both"
   * @throws {TypeError} if it is no buffer
   * @throws {Deno.errors.BadResource} once closed
   */
  flush(buffer: SerialBuffer = "both"): void {
    if (!["input", "output", "both"].includes(buffer)) {
      throw new TypeError(
        `Cannot flush "${buffer}": it must be one of input, output, both`,
      );
    }
    this.#checkOpen();
    this.#line.discard(buffer);
    if (buffer === "input") return;
    this.discardQueue();
    this.flushGuarded();
  }

  /**
   * Stops receiving, and closes when the device has sent all bytes. While flow control
   * forbids to send, the port stays open: `abort()` closes at once.
   */
  override close(): void {
    this.#isClosing = true;
    super.close();
  }

  /**
   * Closes at once, and discards bytes that were not sent.
   *
   * @param error Passed to `onClose`. Default: none
   */
  override abort(error?: Error): void {
    this.#closesNow = true;
    super.abort(error);
  }

  /** Called by the loop. */
  [UNSERVED](error: Error): void {
    for (const { reject } of this.#waits.splice(0)) reject(error);
  }

  /** Waits before an orderly end, because the modes are restored at once. */
  protected override finish(error: Error | undefined): void {
    const isOrderly = error === undefined && this.#isClosing &&
      !this.#closesNow && !this.readEnded;
    if (!isOrderly) return super.finish(error);
    const end = (): void => {
      this.#closesNow = true;
      this.#drained();
      super.finish(undefined);
    };
    if (this.#unsent() === 0) end();
    else this.#drain.wait(end);
  }

  /** Leaves the terminal as it was. Unsent bytes are discarded: close(2) would block. */
  protected override closing(error: Error | undefined): void {
    this.#drain.cancel();
    this.#loop.forgetTurn(this);
    this[UNSERVED](error ?? interrupted());
    try {
      if (this.#line.unsent() > 0) this.#line.discard("both");
    } catch {
      // After a hang-up there is no buffer.
    }
    this.#line.restore();
  }

  #drained(): void {
    this.#loop.forgetTurn(this);
    for (const { resolve } of this.#waits.splice(0)) resolve();
  }

  /** How many bytes are unsent. An error ends the port, which discards them. */
  #unsent(): number {
    try {
      return this.bufferedAmount + this.#line.unsent();
    } catch (error) {
      this.abort(error as Error);
      return 0;
    }
  }

  #checkOpen(): void {
    if (!this.closed) return;
    throw new Deno.errors.BadResource(`Serial port '${this.path}' is closed`);
  }
}
