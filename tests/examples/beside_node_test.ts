/** The examples with `node:http`, `node:https` and a driver of npm on a reactor. */

import { assertEquals, assertMatch } from "@std/assert";
import { makeCertificate } from "../adapters/node/certificate.ts";
import { absenceOf } from "../program.ts";
import { postgresAbsence, PostgresServer } from "./postgres_server.ts";
import { absence, startExample, testExamples } from "./start.ts";

const curlAbsence = await absenceOf("curl", "--version");

const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-env"];

/** The output of curl. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("curl", {
    args: ["--silent", "--show-error", ...args],
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout);
}

testExamples(
  "http_server answers on a port and on a Unix socket, and ends with its answers",
  async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/status`;
    try {
      const args = ["--port", "0", "--path", path];
      await using server = startExample("http_server", args, PERMISSIONS);
      const url = `http://127.0.0.1:${await server.port()}`;
      assertEquals(await curl(`${url}/`), "hello\n");
      assertEquals(await curl(`${url}/hello/you`), "hello, you\n");
      assertEquals(await curl("-d", "posted", `${url}/echo`), "posted");
      assertMatch(await curl(`${url}/nothing`), /404/);
      const status = await curl("--unix-socket", path, "http://localhost/");
      assertEquals(JSON.parse(status).answered, 4);
      server.kill("SIGINT");
      const { code, errors } = await server.ending();
      assertEquals([code, errors], [0, ""]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
  curlAbsence,
  absence.task,
);

testExamples(
  "https_server answers over TLS 1.3",
  async () => {
    const directory = await Deno.makeTempDir();
    try {
      const { certFile, keyFile } = await makeCertificate(directory);
      const args = ["--port", "0", "--cert", certFile, "--key", keyFile];
      const permissions = [
        "--allow-ffi",
        `--allow-read=${certFile},${keyFile}`,
      ];
      await using server = startExample("https_server", args, permissions);
      const url = `https://127.0.0.1:${await server.port()}/page`;
      const answer = await curl("--cacert", certFile, url);
      assertEquals(answer, "GET /page over TLSv1.3\n");
      server.kill("SIGINT");
      const { code, errors } = await server.ending();
      assertEquals([code, errors], [0, ""]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
  curlAbsence,
  absence.task,
);

testExamples(
  "database asks PostgreSQL on ten connections",
  async () => {
    await using server = await PostgresServer.start();
    const path = `${server.directory}/.s.PGSQL.5432`;
    const args = ["--path", path];
    await using program = startExample("database", args, PERMISSIONS);
    const { code, lines, errors } = await program.ending();
    assertEquals([code, errors], [0, ""]);
    assertEquals(lines[0], "Sum of 100 squares: 328350, by 10 connections");
  },
  postgresAbsence(),
  absence.task,
);

testExamples(
  "database refuses with one line without a server",
  async () => {
    const args = ["--path", "/tmp/pollux-no-such-socket"];
    await using program = startExample("database", args, PERMISSIONS);
    const { code, errors } = await program.ending();
    assertEquals(code, 1);
    assertEquals(errors, "connect ENOENT /tmp/pollux-no-such-socket\n");
  },
  absence.task,
);
