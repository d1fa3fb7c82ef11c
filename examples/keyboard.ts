/**
 * Standard input as a stream of a reactor.
 *
 * @module
 */

import { type Reactor, socketPair, type Stream } from "../mod.ts";

const STANDARD_INPUT = 0;

/**
 * Opens standard input. Windows has no readiness of consoles and pipes: there a Worker
 * reads it, and sends the bytes through a pair of sockets. Loading the Worker takes the
 * permission to read this project.
 */
export function openKeyboard(reactor: Reactor): Stream {
  try {
    return reactor.open(STANDARD_INPUT);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotSupported)) throw error;
    return readInWorker(reactor);
  }
}

function readInWorker(reactor: Reactor): Stream {
  checkPermission();
  const [input, output] = socketPair();
  const url = new URL("./keyboard_worker.ts", import.meta.url);
  const name = String(output.detach());
  const worker = new Worker(url, { type: "module", name });
  const stream = reactor.adopt(input);
  stream.onClose = () => worker.terminate();
  // Nothing is sent to the Worker: the stream ends with its input.
  stream.end();
  return stream;
}

/** Without this check, the error would be that of the Worker, which nothing catches. */
function checkPermission(): void {
  const path = new URL("../", import.meta.url);
  const { state } = Deno.permissions.requestSync({ name: "read", path });
  if (state !== "granted") {
    throw new Deno.errors.NotCapable(
      "Cannot read the keyboard: run again with --allow-read=.",
    );
  }
}
