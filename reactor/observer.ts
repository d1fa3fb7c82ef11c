/**
 * The seam between the loop and its diagnosis, which is loaded when it is asked for.
 *
 * @module
 */

import type { FileObject } from "../backends/selector.ts";
import type { Callback } from "./callback.ts";

/** The counts of descriptors, by their numbers. */
export interface Counts {
  /** When the descriptor was registered; null if that is not known. */
  since(fd: number): number | null;
  /** How often the descriptor was ready. */
  ready(fd: number): number;
  /** How often in a row it was ready without progress. */
  idle(fd: number): number;
}

/** Watches a loop and its endpoints. Without one, nothing below is called. */
export interface Observer {
  /** How often each descriptor was ready. */
  readonly counts: Counts;
  /** Milliseconds of all callbacks. */
  readonly callbackTime: number;
  /** Milliseconds of the longest one. */
  readonly longestCallback: number;
  /** Called after a descriptor was registered. */
  registered(fd: number): void;
  /** Called before the callback of a ready file object. */
  beforeEvent(fileobj: FileObject): void;
  /** Called after it, also if it has thrown. */
  afterEvent(fileobj: FileObject, events: number, callback: Callback): void;
  /**
   * Called before the callback of a timer or the like. Returns the time; NaN within
   * another callback, which counts the time of both.
   */
  beforeCall(): number;
  /** Called after it, also if it has thrown, with the time that `beforeCall()` returned. */
  afterCall(callback: () => void, started: number): void;
  /** Called when a connection is established. */
  connectionOpened(connection: Disposable): void;
  /** Called before the descriptor of a connection is closed. */
  connectionClosing(
    connection: Disposable & { readonly fd: number },
    error: Error | undefined,
  ): void;
  /** Called when accepting is suspended, with the error of the system. */
  acceptBackedOff(acceptor: Disposable, error: unknown): void;
  /** Called with the error of a message that is not sent. */
  datagramRefused(datagram: Disposable, error: unknown): void;
  /** Ends the diagnosis. Called when the loop was closed. */
  end(): void;
}
