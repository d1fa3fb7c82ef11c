/** A server without a descriptor left waits for one: it neither ends, nor panics, nor spins. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { bytesOf, Closing, eventually } from "../util.ts";
import {
  absence,
  cpuTime,
  descriptorsOf,
  reactorServers,
  type Server,
  servers,
  startLimited,
  testExamples,
} from "./program.ts";

/** As many descriptors as a server may have: Deno itself has about 30 of them. */
const LIMIT = 80;

/** So many more clients connect than there are descriptors for. */
const BEYOND = 8;

/** How long a server without descriptors is watched, and how much time on a CPU is none. */
const WATCHED = 1000;
const IDLE = 150;

const chat: Server = {
  title: "chat",
  name: "chat",
  args: [],
  absent: undefined,
};

for (
  const { title, name, args, absent } of [
    ...servers,
    ...reactorServers,
    chat,
  ]
) {
  testExamples(
    `${title}: serves all who connect once there are descriptors again`,
    async () => {
      await using program = startLimited(LIMIT, name, [...args, "--port", "0"]);
      const port = await program.port();
      using clients = new Closing();
      const connect = async (): Promise<Deno.TcpConn> =>
        clients.keep(await Deno.connect({ port }));
      // A reactor that shares its thread with Deno opens some more at first.
      if (args.includes("serve")) await assertAnswers(await connect());

      const room = LIMIT - descriptorsOf(program);
      const served = await Promise.all(Array.from({ length: room }, connect));
      await eventually(() => descriptorsOf(program) >= LIMIT, "the limit");
      const waiting = await Promise.all(
        Array.from({ length: BEYOND }, connect),
      );
      const before = cpuTime(program);
      await new Promise((resolve) => setTimeout(resolve, WATCHED));
      assertLess(cpuTime(program) - before, IDLE);

      for (const client of served) client.close();
      for (const client of waiting) await assertAnswers(client);
      program.kill("SIGKILL");
      const { errors } = await program.ending();
      assertEquals(errors, "Too many open files (os error 24)\n");
    },
    absent,
    absence.proc,
  );
}

async function assertAnswers(client: Deno.TcpConn): Promise<void> {
  await client.write(bytesOf("still there?\n"));
  const count = await client.read(new Uint8Array(100));
  assert(count !== null, "the server has closed the connection");
}
