/** A server without a descriptor left waits for one: it neither ends, nor panics, nor spins. */

import { assert, assertLess, assertMatch } from "@std/assert";
import type { Program } from "../program.ts";
import { bytesOf, eventually } from "../util.ts";
import {
  absence,
  cpuTime,
  descriptorsOf,
  freePort,
  reactorServers,
  servers,
  startLimited,
  startServices,
  testExamples,
} from "./start.ts";
import {
  guest,
  GUEST_PERMISSIONS,
  guestAbsence,
  untilListening,
} from "./guest.ts";

/** As many descriptors as a server may have: Deno itself has about 30 of them. */
const LIMIT = 80;

/** Where the service that echoes is, from the base port. */
const ECHO = 7;

/** So many more clients connect than there are descriptors for. */
const BEYOND = 8;

/** How long a server without descriptors is watched, and how much time on a CPU is none. */
const WATCHED = 1000;
const IDLE = 150;

for (const { title, name, args, absent } of [...servers, ...reactorServers]) {
  testShortage(title, async () => {
    await using program = startLimited(LIMIT, name, [...args, "--port", "0"]);
    await assertOutlives(program, await program.port());
  }, absent);
}

testShortage("chat", async () => {
  await using program = startLimited(LIMIT, "chat", ["--port", "0"]);
  await assertOutlives(program, await program.port());
});

testShortage("services", async () => {
  await using services = await startServices((name, args) =>
    startLimited(LIMIT, name, args)
  );
  await assertOutlives(services.program, services.base + ECHO);
});

for (const mode of ["run", "serve"]) {
  testShortage(`wasi_echo in C under ${mode}()`, async () => {
    const port = freePort();
    await using program = startLimited(
      LIMIT,
      "wasi_echo/run",
      ["--mode", mode, "--port", `${port}`, guest],
      GUEST_PERMISSIONS,
    );
    await untilListening(port);
    await assertOutlives(
      program,
      port,
      /^Serving .*\n(.*ExperimentalWarning.*\n)?$/,
    );
  }, guestAbsence);
}

function testShortage(
  title: string,
  body: () => Promise<void>,
  absent?: string,
): void {
  const name =
    `${title}: serves all who connect once there are descriptors again`;
  testExamples(name, body, absent, absence.proc);
}

/** Takes all descriptors of a server by connections, and leaves it some again. */
async function assertOutlives(
  program: Program,
  port: number,
  report = /^Too many open files \(os error 24\)\n$/,
): Promise<void> {
  using clients = new DisposableStack();
  const connect = async (): Promise<Deno.TcpConn> =>
    clients.use(await Deno.connect({ port }));
  const connectTo = (count: number): Promise<Deno.TcpConn[]> =>
    Promise.all(Array.from({ length: count }, connect));

  const served = await connectTo(LIMIT - descriptorsOf(program));
  await eventually(() => descriptorsOf(program) >= LIMIT, "the limit");
  const waiting = await connectTo(BEYOND);
  const before = cpuTime(program);
  await new Promise((resolve) => setTimeout(resolve, WATCHED));
  assertLess(cpuTime(program) - before, IDLE);

  for (const client of served) client.close();
  for (const client of waiting) await assertAnswers(client);
  program.kill("SIGKILL");
  const { errors } = await program.ending();
  assertMatch(errors, report);
}

async function assertAnswers(client: Deno.TcpConn): Promise<void> {
  await client.write(bytesOf("still there?\n"));
  const count = await client.read(new Uint8Array(100));
  assert(count !== null, "the server has closed the connection");
}
