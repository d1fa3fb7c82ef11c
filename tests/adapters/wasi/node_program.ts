/**
 * A `WasiSelector` on the `node:wasi` of Node.js. `node_test.ts` bundles this
 * and runs it there; each line that it prints is one result.
 */

import { WASI } from "node:wasi";
import { EVENT_READ, EVENT_WRITE } from "../../../backends/selector.ts";
import {
  type PollOneoffImport,
  WasiSelector,
} from "../../../backends/wasi_selector.ts";

const wasi = new WASI({ version: "preview1" });
const memory = new WebAssembly.Memory({ initial: 1 });
wasi.initialize({ exports: { memory } });

const selector = new WasiSelector<string>({
  imports: wasi.wasiImport as { poll_oneoff: PollOneoffImport },
  memory,
});

/** The result of a `select()`, in one line. */
function select(timeout?: number): string {
  return selector.select(timeout)
    .map(([key, events]) => `${key.data} ${events}`).join(", ");
}

const start = performance.now();
console.log(`timeout: ${select(30)}`);
console.log(`in time: ${performance.now() - start >= 29}`);

selector.register(0, EVENT_READ, "stdin");
console.log(`idle: ${select(0)}`);
console.log(`waiting`);
console.log(`input: ${select()}`);
selector.unregister(0);

selector.register(1, EVENT_WRITE, "stdout");
console.log(`output: ${select(10_000)}`);
selector.unregister(1);

selector.close();
