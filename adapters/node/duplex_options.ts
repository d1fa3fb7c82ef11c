/**
 * The options of a connection as a stream of Node.
 *
 * @module
 */

import type { OptionNames } from "../../backends/ffi/options.ts";

/** The options of a `ConnectionDuplex`. */
export interface ConnectionDuplexOptions {
  /**
   * Whether this side stays open at the peer's end of file, until `end()` is called.
   * Default: false.
   */
  readonly allowHalfOpen?: boolean;
  /** Receives nothing until `resume()` is called. Default: false. */
  readonly pauseOnCreate?: boolean;
}

/** Their names. */
export const DUPLEX_OPTIONS: OptionNames<ConnectionDuplexOptions> = {
  allowHalfOpen: true,
  pauseOnCreate: true,
};
