/** A server without a free descriptor waits for one: it does not end, panic or spin. */

import { assert, assertMatch } from "@std/assert";
import type { Program } from "../program.ts";
import { bytesOf, eventually } from "../util.ts";
import {
  absence,
  assertIdle,
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

/** Maximum descriptors of a server. Deno itself has about 30. */
const LIMIT = 80;

/** The port of the echo service, counted from the base port. */
const ECHO = 7;

/** How many clients connect beyond the limit. */
const BEYOND = 8;

for (const { title, name, args, absent } of [...servers, ...reactorServers]) {
  testShortage(title, async () => {
    await using program = startLimited(LIMIT, name, [...args, "--port", "0"]);
    await assertSurvives(program, await program.port());
  }, absent);
}

testShortage("chat", async () => {
  await using program = startLimited(LIMIT, "chat", ["--port", "0"]);
  await assertSurvives(program, await program.port());
});

testShortage("services", async () => {
  await using services = await startServices((name, args) =>
    startLimited(LIMIT, name, args)
  );
  await assertSurvives(services.program, services.base + ECHO);
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
    await assertSurvives(
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
    `${title}: serves all connections once descriptors are free again`;
  testExamples(name, body, absent, absence.proc);
}

/** Uses up all descriptors of a server by connections, and closes some of them. */
async function assertSurvives(
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
  await assertIdle([program]);

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
