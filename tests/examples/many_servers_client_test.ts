/** One client and many servers, of which some are silent, endless or absent. */

import { assertEquals } from "@std/assert";
import { assertFailed } from "../program.ts";
import { bytesOf } from "../util.ts";
import {
  absence,
  freePort,
  startExample,
  startPython,
  testExamples,
} from "./start.ts";

const HOST = "127.0.0.1";

testExamples(
  "many_servers_client prints the answer of each server",
  async () => {
    await using reactor = startExample("reactor_server", ["--port", "0"]);
    await using echo = startExample("tcp_udp_echo", ["--port", "0"]);
    const start = absence.python === undefined ? startPython : startExample;
    await using callbacks = start("callback_server", ["--port", "0"]);
    const servers = [
      `${HOST}:${await reactor.port()}`,
      `${HOST}:${await echo.port()}`,
      `${HOST}:${await callbacks.port()}`,
    ];
    const args = [...servers, "--message", "Isn't it?"];
    await using client = startExample("many_servers_client", args);
    const { code, errors, lines } = await client.ending();
    assertEquals({ code, errors }, { code: 0, errors: "" });
    const answers = [
      `b'Server received b"Isn\\'t it?"'`,
      `b"Isn't it?"`,
      `b'Server received b"Isn\\'t it?"'`,
    ];
    // They come in any order.
    assertEquals(
      lines.toSorted(),
      servers.map((server, index) => `${server} answered ${answers[index]}`)
        .toSorted(),
    );
  },
);

testExamples(
  "many_servers_client prints the other answers if one server is absent",
  async () => {
    const absent = `${HOST}:${freePort()}`;
    await using echo = startExample("tcp_udp_echo", ["--port", "0"]);
    const present = `${HOST}:${await echo.port()}`;
    await using client = startExample("many_servers_client", [absent, present]);
    const ending = await client.ending();
    assertFailed(ending, 1, new RegExp(`^${absent}: Connection refused`));
    assertEquals(ending.lines, [`${present} answered b'Hello'`]);
  },
);

testExamples(
  "many_servers_client stops waiting after two seconds",
  async () => {
    using silent = Deno.listen({ hostname: HOST, port: 0 });
    using endless = Deno.listen({ hostname: HOST, port: 0 });
    const servers = [silent, endless].map(({ addr }) => `${HOST}:${addr.port}`);
    await using client = startExample("many_servers_client", servers);
    using connection = await endless.accept();
    await connection.write(bytesOf("x".repeat(1000)));
    await client.line(/answered/);
    const ending = await client.ending();
    assertFailed(ending, 1, new RegExp(`^${servers[0]}: No end within`));
    assertEquals(ending.lines, [
      `${servers[1]} answered b'${"x".repeat(200)}'`,
    ]);
  },
);

testExamples("many_servers_client asks over IPv6", async () => {
  const args = ["--host", "::1", "--port", "0"];
  await using echo = startExample("tcp_udp_echo", args);
  const server = `[::1]:${await echo.port()}`;
  await using client = startExample("many_servers_client", [server]);
  const { lines, errors } = await client.ending();
  assertEquals({ lines, errors }, {
    lines: [`${server} answered b'Hello'`],
    errors: "",
  });
}, absence.ipv6);

testExamples(
  "many_servers_client refuses port 0 with one line, and status 2",
  async () => {
    const args = [`${HOST}:${freePort()}`, `${HOST}:0`];
    await using client = startExample("many_servers_client", args);
    const line = /^Cannot ask "127.0.0.1:0": no port is 0\n$/;
    assertFailed(await client.ending(), 2, line);
  },
);
