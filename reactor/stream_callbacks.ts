/**
 * The functions that streams call.
 *
 * @module
 */

/**
 * The properties of a stream that hold its callbacks. Each of them is also null, which
 * is the default, or undefined.
 *
 * They are methods here, so that a `Connection<InternetAddress>` is a `Connection`.
 *
 * @typeParam S Type of the stream, which each callback gets as its last argument
 */
export interface StreamCallbacks<S> {
  /** Called with received bytes, in order. */
  onData(chunk: Uint8Array<ArrayBuffer>, stream: S): void;
  /** Called at the peer's end of file. Default: this side ends too. */
  onEnd(stream: S): void;
  /** Called when the queue falls to the low water mark after `write()` returned false. */
  onDrain(stream: S): void;
  /** Called once, after all others, with the error if one ended the stream. */
  onClose(error: Error | undefined, stream: S): void;
}

/** The callbacks of a `Connection`, in addition to those of any stream. */
export interface ConnectionCallbacks<C> extends StreamCallbacks<C> {
  /** Called when an outgoing connection is established. */
  onConnect(connection: C): void;
}
