/**
 * Writes after the peer's end of file.
 *
 * @module
 */

import { nextTick } from "node:process";
import { Duplex } from "node:stream";
import { endedError } from "./errors.ts";

/** Makes later writes fail as those of `net.Socket`, not as those after `end()`. */
export function refuseWrites(this: Duplex): void {
  this.write = (...args: unknown[]): boolean => {
    if (!this.writableEnded) {
      const { write } = Duplex.prototype;
      return write.apply(this, args as Parameters<Duplex["write"]>);
    }
    const error = endedError();
    const done = args.at(-1);
    if (typeof done === "function") nextTick(done, error);
    this.destroy(error);
    return false;
  };
}
