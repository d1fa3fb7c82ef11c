/** A client that does not read its replies costs a server little, and loses none of them. */

import { assert, assertLess } from "@std/assert";
import {
  connectNarrowly,
  messageOf,
  MOST_TAKEN,
  receiveMessages,
  sendUntilStopped,
} from "./flood.ts";
import {
  reactorServers,
  servers,
  startServer,
  testExamples,
} from "./program.ts";

for (const server of [...servers, ...reactorServers]) {
  testExamples(
    `${server.title}: reads no more from a client that does not read, and goes on when it does`,
    async () => {
      await using program = startServer(server);
      using client = connectNarrowly(await program.port());
      const taken = await sendUntilStopped(client, MOST_TAKEN);
      assertLess(taken, MOST_TAKEN);
      client.shutdown("write");
      const replies = await receiveMessages(client);
      assert(replies === messageOf(taken), `${replies.length} of ${taken}`);
    },
    server.absent,
  );
}
