/**
 * The selector for a program that has only WASI preview 1, whose one call is
 * `poll_oneoff`.
 *
 * Some facts about preview 1:
 *
 * - There is one thread. A wait that does not block it needs a second import,
 *   which returns a promise.
 * - There is no edge-triggered or one-shot mode, and no urgent data.
 * - A hang-up is reported only for readers (as in mio's notes on `wasip1`).
 * - A number that is not open is an event with the error EBADF.
 *
 * Source: `wasi/api.h` of wasi-libc.
 *
 * @module
 */

import type { FileObject, LoopSelector } from "./selector.ts";
import {
  WasiSelector as WasiSelectorClass,
  type WasiSelectorOptions,
} from "./wasi/selector.ts";

export type {
  PollOneoffImport,
  PollOneoffPromise,
  WasiSelectorOptions,
} from "./wasi/selector.ts";

/**
 * A selector on `poll_oneoff`. Descriptors are those of the program, not of the
 * system below it. It supports `EVENT_READ` and `EVENT_WRITE`, and no mode.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects. Default: any
 *
 * @example Wait with the preview 1 of the runtime
 * ```ts
 * import { WASI } from "node:wasi";
 * import { EVENT_WRITE } from "@pollux/reactor/selectors";
 * import { WasiSelector } from "@pollux/reactor/wasi";
 * import { assertEquals } from "@std/assert";
 *
 * const wasi = new WASI({ version: "preview1" });
 * const memory = new WebAssembly.Memory({ initial: 1 });
 * wasi.initialize({ exports: { memory } });
 * const { poll_oneoff } = wasi.wasiImport!;
 *
 * using selector = new WasiSelector<string>({ imports: { poll_oneoff }, memory });
 * selector.register(1, EVENT_WRITE, "standard output");
 * const found = selector.select(1000).map(([key, events]) => [key.data, events]);
 * assertEquals(found, [["standard output", EVENT_WRITE]]);
 * ```
 */
export interface WasiSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {}

/**
 * Creates a selector. It writes nothing to the memory before the first registration
 * or wait.
 */
export const WasiSelector: new <T, F extends FileObject = FileObject>(
  options: WasiSelectorOptions,
) => WasiSelector<T, F> = WasiSelectorClass;
