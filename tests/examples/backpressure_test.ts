/** A server queues little for a client that does not read, and loses no reply. */

import { assert, assertLess } from "@std/assert";
import { bytesOf } from "../util.ts";
import {
  connectNarrowly,
  messageOf,
  MOST_TAKEN,
  receiveMessages,
  sendUntilStopped,
} from "./flood.ts";
import {
  guest,
  GUEST_PERMISSIONS,
  guestAbsence,
  untilListening,
} from "./guest.ts";
import {
  freePort,
  reactorServers,
  servers,
  startExample,
  startServer,
  testExamples,
} from "./start.ts";

for (const server of [...servers, ...reactorServers]) {
  testBackpressure(server.title, async () => {
    await using program = startServer(server);
    await assertHoldsLittle(await program.port());
  }, server.absent);
}

for (const mode of ["run", "serve"]) {
  testBackpressure(`wasi_echo in C under ${mode}()`, async () => {
    const port = freePort();
    const args = ["--mode", mode, "--port", `${port}`, guest];
    await using _program = startExample(
      "wasi_echo/run",
      args,
      GUEST_PERMISSIONS,
    );
    await untilListening(port);
    await assertHoldsLittle(port);
  }, guestAbsence);
}

function testBackpressure(
  title: string,
  body: () => Promise<void>,
  absent: string | undefined,
): void {
  testExamples(
    `${title}: stops reading from a client that does not read, and resumes when it does`,
    body,
    absent,
  );
}

async function assertHoldsLittle(port: number): Promise<void> {
  using client = connectNarrowly(port);
  const taken = await sendUntilStopped(client, MOST_TAKEN);
  assertLess(taken, MOST_TAKEN);
  // Other clients are served meanwhile.
  using other = await Deno.connect({ port });
  await other.write(bytesOf("still there?"));
  assert(await other.read(new Uint8Array(100)) !== null);
  const replies = await receiveMessages(client, taken);
  assert(replies === messageOf(taken), `${replies.length} of ${taken}`);
}
