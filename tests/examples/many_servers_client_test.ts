/** One client and many servers: some are silent, some never end, and some are not there. */

import { assertEquals } from "@std/assert";
import { assertFailed } from "../program.ts";
import { bytesOf } from "../util.ts";
import { absence, startExample, startPython, testExamples } from "./start.ts";

const HOST = "127.0.0.1";

testExamples("many_servers_client tells who answered what", async () => {
  await using reactor = startExample("reactor_server", ["--port", "0"]);
  await using echo = startExample("tcp_udp_echo", ["--port", "0"]);
  await using python = startPython("callback_server", ["--port", "0"]);
  const servers = [
    `${HOST}:${await reactor.port()}`,
    `${HOST}:${await echo.port()}`,
    `${HOST}:${await python.port()}`,
  ];
  const args = [...servers, "--message", "Who's there?"];
  await using client = startExample("many_servers_client", args);
  const { code, errors, lines } = await client.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  const answers = [
    `b'Server received b"Who\\'s there?"'`,
    `b"Who's there?"`,
    `b'Server received b"Who\\'s there?"'`,
  ];
  // In the order in which they came.
  assertEquals(
    lines.toSorted(),
    servers.map((server, index) => `${server} answered ${answers[index]}`)
      .toSorted(),
  );
}, absence.python);

testExamples(
  "many_servers_client hears the others if one is not there",
  async () => {
    const closed = Deno.listen({ hostname: HOST, port: 0 });
    const absent = `${HOST}:${closed.addr.port}`;
    closed.close();
    await using echo = startExample("tcp_udp_echo", ["--port", "0"]);
    const present = `${HOST}:${await echo.port()}`;
    await using client = startExample("many_servers_client", [absent, present]);
    const ending = await client.ending();
    assertFailed(ending, 1, new RegExp(`^${absent}: Connection refused`));
    assertEquals(ending.lines, [`${present} answered b'Hello'`]);
  },
);

testExamples("many_servers_client does not wait for ever", async () => {
  using silent = Deno.listen({ hostname: HOST, port: 0 });
  using talker = Deno.listen({ hostname: HOST, port: 0 });
  const servers = [silent, talker].map(({ addr }) => `${HOST}:${addr.port}`);
  await using client = startExample("many_servers_client", servers);
  using talk = await talker.accept();
  await talk.write(bytesOf("x".repeat(1000)));
  await client.line(/answered/);
  const ending = await client.ending();
  assertFailed(ending, 1, new RegExp(`^${servers[0]}: No end within`));
  assertEquals(ending.lines, [`${servers[1]} answered b'${"x".repeat(200)}'`]);
});

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
