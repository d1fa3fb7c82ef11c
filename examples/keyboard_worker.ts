/// <reference lib="deno.worker" />

/**
 * The thread of keyboard.ts: it waits for standard input, and sends it to the socket
 * whose number is the name of the Worker.
 *
 * @module
 */

import { Socket } from "../mod.ts";

using output = Socket.adopt(Number(self.name));
output.setBlocking(true);
const buffer = new Uint8Array(1024);
for (;;) {
  const length = Deno.stdin.readSync(buffer);
  if (length === null) break;
  for (let sent = 0; sent < length;) {
    sent += output.send(buffer.subarray(sent, length));
  }
}
