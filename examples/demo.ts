// The callback server and the client with two sockets, each in a thread of its own,
// until the client has every reply.
//
//     deno run --allow-ffi --allow-read=. examples/demo.ts
//
// The second permission is for the second thread: Deno reads its program anew.

import type { InternetAddress, Socket } from "../mod.ts";
import { start } from "./callback_server.ts";
import { main, parseCommandLine, PORT } from "./command_line.ts";
import { converse } from "./multi_client.ts";

await main(async () => {
  const server = startAnywhere(parseCommandLine().address);
  await serveInWorker(server);
  converse(server.localAddress as InternetAddress);
  // The server would go on for ever.
  Deno.exit(0);
});

/** Starts at the article's port or, if another program has that, at any. */
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
  // Deno has said what is wrong with it by then.
  worker.onerror = () => Deno.exit(1);
  await new Promise((resolve) => worker.onmessage = resolve);
}
