/** A server of several threads on one port, whose threads are replaced under load. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fetchOnce } from "../fetch.ts";
import { assertFailed, type Program } from "../program.ts";
import { bytesOf, emulated } from "../util.ts";
import { HttpLoad } from "./http_load.ts";
import { absence, freePort, startInConsole, testExamples } from "./start.ts";

const PERMISSIONS = ["--allow-ffi", "--allow-read=."];

/** Replacements of all threads. */
const RESTARTS = 3;

const CLIENTS = Array.from(
  { length: 8 },
  (_, index) => index % 2 === 0 ? "close" : "keep-alive",
);

const slow = emulated ? "the emulator is slow" : undefined;

function start(...args: string[]): Program {
  return startInConsole("many_cores", ["--port", "0", ...args], PERMISSIONS);
}

async function assertEnds(server: Program): Promise<void> {
  await server.interrupt();
  const { code, errors, lines } = await server.ending();
  assertEquals({ code, errors, last: lines.at(-1) }, {
    code: 0,
    errors: "",
    last: "Goodbye",
  });
}

testExamples(
  "many_cores: each thread answers on the one port, and Ctrl-C ends all",
  async () => {
    await using server = start("--workers", "3");
    const port = await server.port();
    const load = new HttpLoad(port, CLIENTS);
    while (load.answers.size < 3) await load.more(1);
    await load.stop();
    assertEquals(load.failures, []);
    await assertEnds(server);
    for (const worker of [1, 2, 3]) {
      assertStringIncludes(server.text, `worker ${worker}: ended\n`);
    }
  },
  absence.threads,
);

testExamples(
  `many_cores: ${RESTARTS} times all threads are replaced under load, and no connection fails`,
  async () => {
    await using server = start("--workers", "2");
    const port = await server.port();
    const load = new HttpLoad(port, CLIENTS);
    await load.more(200);
    for (let restart = 1; restart <= RESTARTS; restart++) {
      server.kill("SIGHUP");
      // Threads 1 and 2 were the first.
      await server.shows(`worker ${2 * restart}: ended\n`);
      await load.more(200);
    }
    await load.stop();
    assertEquals(load.failures, []);
    // Clients that keep their connections have reached new threads, too.
    assertEquals(load.answers.size, 2 * (RESTARTS + 1));
    assert(load.served >= 200 * (RESTARTS + 1));
    await assertEnds(server);
  },
  absence.epoll,
  slow,
);

testExamples(
  "many_cores: a request that began before its thread was replaced is answered",
  async () => {
    await using server = start("--workers", "1");
    const port = await server.port();
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(bytesOf("GET / HTTP/1.1\r\n"));
    // The first thread answers another connection: this one was accepted before.
    const response = await fetchOnce(`http://127.0.0.1:${port}`, {
      headers: { connection: "close" },
    });
    assertEquals(await response.text(), "worker 1\n");
    server.kill("SIGHUP");
    await server.shows("worker 1: accepts no more\n");
    await connection.write(bytesOf("Host: localhost\r\n\r\n"));
    const answer = await new Response(connection.readable).text();
    assert(/\r\nConnection: close\r\n[^]*worker 1\n$/.test(answer), answer);
    await server.shows("worker 1: ended\n");
    await assertEnds(server);
  },
  absence.epoll,
);

testExamples(
  "many_cores: Ctrl-C also ends a thread that was replaced and has an open connection",
  async () => {
    await using server = start("--workers", "1");
    const port = await server.port();
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(
      bytesOf("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    );
    assert((await connection.read(new Uint8Array(1000)))! > 0);
    server.kill("SIGHUP");
    await server.shows("worker 2: ready\n");
    await assertEnds(server);
    assertStringIncludes(server.text, "worker 1: ended\n");
    assertStringIncludes(server.text, "worker 2: ended\n");
  },
  absence.epoll,
);

testExamples("many_cores: without a number of threads it ends", async () => {
  for (const workers of ["0", "100", "two"]) {
    const port = String(freePort());
    await using server = start("--workers", workers, "--port", port);
    const line = `^Cannot start "${workers}" workers: it must be 1 to 99\n$`;
    assertFailed(await server.ending(), 2, new RegExp(line));
  }
});
