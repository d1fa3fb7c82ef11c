/**
 * The options of streams and connections: checked once, and shared by all connections
 * of one listener.
 *
 * @module
 */

import type { OptionNames } from "../backends/ffi/options.ts";
import type { Loop } from "./loop.ts";
import {
  owningBuffer,
  type ReceiveBuffer,
  reusedBuffer,
} from "./receive_buffer.ts";
import { socketTransport, type Transport } from "./transport.ts";

/** How much a connection queues, and how it receives. */
export interface ConnectionOptions {
  /** `write()` returns false while more bytes are queued. Default: 65,536. */
  readonly highWaterMark?: number;
  /**
   * `onDrain` is called when no more bytes are left. Default: a quarter of
   * `highWaterMark`.
   */
  readonly lowWaterMark?: number;
  /**
   * A write aborts the connection while more bytes are queued. Each queued chunk
   * counts with 256 bytes more than its length. Default: 16 MiB.
   */
  readonly maximumQueued?: number;
  /**
   * Whether each chunk is a part of one buffer that is reused after `onData` returns.
   * That is faster for programs that look at the bytes or pass them on at once. All
   * such connections of a reactor share the buffer: `chunk.buffer` shows bytes that
   * any of them received before. Other reactors have other buffers. Default: false.
   */
  readonly reuseBuffer?: boolean;
}

/** The names of the options. */
export const CONNECTION_OPTIONS: OptionNames<ConnectionOptions> = {
  highWaterMark: true,
  lowWaterMark: true,
  maximumQueued: true,
  reuseBuffer: true,
};

/** The options of a stream with all defaults, and its parts that streams share. */
export interface StreamSettings {
  /** Above it, `write()` returns false. */
  readonly highWaterMark: number;
  /** Down to it, `onDrain` is called. */
  readonly lowWaterMark: number;
  /** Above it, with 256 bytes more for each chunk, a write aborts the stream. */
  readonly maximumQueued: number;
  /** Receives, and makes the chunks of `onData`. */
  readonly buffer: ReceiveBuffer;
  /** The calls on the descriptor. */
  readonly transport: Transport;
  /** Called when a stream has ended. */
  readonly released: () => void;
}

function nothing(): void {}

/**
 * Checks the options of sockets and adds the defaults.
 *
 * @param released Called when a connection has ended
 * @throws {RangeError} if a mark or the maximum is not a number from 0, or the low
 *   water mark is above the high one
 */
export function connectionSettings(
  loop: Loop,
  options: ConnectionOptions,
  released: () => void = nothing,
): StreamSettings {
  return streamSettings(loop, socketTransport, options, released);
}

/**
 * Checks the options of a stream and adds the defaults.
 *
 * @throws as `connectionSettings`
 */
export function streamSettings(
  loop: Loop,
  transport: Transport,
  options: ConnectionOptions,
  released: () => void = nothing,
): StreamSettings {
  const { highWaterMark = 64 * 1024 } = options;
  const { lowWaterMark = Math.floor(highWaterMark / 4) } = options;
  const { maximumQueued = 16 * 1024 * 1024 } = options;
  checkMarks(lowWaterMark, highWaterMark);
  if (!(maximumQueued >= 0)) {
    throw new RangeError(`Cannot queue ${maximumQueued} bytes at the most`);
  }
  const buffer = options.reuseBuffer ? reusedBuffer(loop) : owningBuffer();
  return {
    highWaterMark,
    lowWaterMark,
    maximumQueued,
    buffer,
    transport,
    released,
  };
}

function checkMarks(low: number, high: number): void {
  if (!(high >= 0) || !(low >= 0)) {
    throw new RangeError(`Cannot use water marks of ${low} and ${high} bytes`);
  }
  if (low > high) {
    throw new RangeError(
      `Cannot use a low water mark of ${low} bytes above the high one of ${high}`,
    );
  }
}
