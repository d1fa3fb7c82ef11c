// Steps 2 and 8 of docs/io_multiplexing.md together: the client and the callback server,
// each in a thread of its own. Ends when the client has every reply.
//
//     deno run --allow-ffi --allow-read=. examples/demo.ts
//
// The second permission is for the second thread: Deno reads its program again.

import type { InternetAddress, Socket } from "../mod.ts";
import { start } from "./callback_server.ts";
import { main, parseCommandLine, PORT } from "./command_line.ts";
import { converse } from "./multi_client.ts";

await main(async () => {
  const server = startAnywhere(parseCommandLine().address);
  await serveInWorker(server);
  converse(server.localAddress as InternetAddress);
  // The server never ends.
  Deno.exit(0);
});

/** Starts at port 8001 or, if another program has it, at a port of the system's choice. */
function startAnywhere(address: InternetAddress): Socket {
  try {
    return start(address);
  } catch (error) {
    const isTaken = error instanceof Deno.errors.AddrInUse;
    if (!isTaken || address.port !== PORT) throw error;
    return start({ ...address, port: 0 });
  }
}

/** Descriptors belong to the whole process, so the number is all that the thread needs. */
async function serveInWorker(server: Socket): Promise<void> {
  const url = new URL("./demo_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module", name: String(server.fd) });
  // Deno has printed the error.
  worker.onerror = () => Deno.exit(1);
  await new Promise((resolve) => worker.onmessage = resolve);
}
