/** The examples with `node:http`, `node:https` and a driver of npm on a reactor. */

import { assertEquals, assertMatch } from "@std/assert";
import {
  type Certificate,
  makeCertificate,
} from "../adapters/node/certificate.ts";
import { fetchOnce } from "../fetch.ts";
import { absenceOf, assertFailed } from "../program.ts";
import { bytesOf } from "../util.ts";
import { postgresAbsence, PostgresServer } from "./postgres_server.ts";
import {
  absence,
  freePort,
  startExample,
  startInConsole,
  testExamples,
} from "./start.ts";

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
  absence.unixSockets,
  curlAbsence,
  absence.task,
);

testExamples("http_server answers on two ports", async () => {
  const args = ["--port", "0", "--status-port", "0"];
  await using server = startExample("http_server", args, PERMISSIONS);
  const url = `http://127.0.0.1:${await server.port()}`;
  const textOf = async (url: string, init?: RequestInit): Promise<string> =>
    await (await fetchOnce(url, init)).text();
  assertEquals(await textOf(`${url}/hello/you`), "hello, you\n");
  const posted = { method: "POST", body: "posted" };
  assertEquals(await textOf(`${url}/echo`, posted), "posted");
  const line = await server.line(/^Status at: /);
  const status = await textOf(`http://${line.slice("Status at: ".length)}`);
  assertEquals(JSON.parse(status).answered, 2);
}, absence.task);

testExamples(
  "http_server ends on Ctrl-C while clients have sent half a request or nothing",
  async () => {
    const args = ["--port", "0", "--status-port", "0"];
    await using server = startExample("http_server", args, PERMISSIONS);
    const options = { hostname: "127.0.0.1", port: await server.port() };
    using half = await Deno.connect(options);
    const head =
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab";
    await half.write(bytesOf(head));
    using silent = await Deno.connect(options);
    // An answer to a later client: both connections are accepted.
    const url = `http://127.0.0.1:${options.port}/`;
    assertEquals(await (await fetchOnce(url)).text(), "hello\n");
    server.kill("SIGINT");
    const { code, errors } = await server.ending();
    assertEquals([code, errors], [0, ""]);
    for (const client of [half, silent]) {
      await client.read(new Uint8Array(1)).catch(() => null);
    }
  },
  absence.task,
  absence.epoll,
);

testExamples("https_server answers over TLS 1.3", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const certificate = await makeCertificate(directory);
    const { certFile, keyFile } = certificate;
    const args = ["--port", "0", "--cert", certFile, "--key", keyFile];
    const permissions = ["--allow-ffi", `--allow-read=${certFile},${keyFile}`];
    await using server = startInConsole("https_server", args, permissions);
    const url = `https://127.0.0.1:${await server.port()}/page`;
    const answer = await securely(url, certificate);
    assertEquals(answer, "GET /page over TLSv1.3\n");
    await server.interrupt();
    const { code, errors } = await server.ending();
    assertEquals([code, errors], [0, ""]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}, absence.task);

testExamples(
  "https_server refuses a certificate and a key that it cannot use, with one line",
  async () => {
    const directory = await Deno.makeTempDir();
    try {
      const { certFile, keyFile } = await makeCertificate(directory);
      const otherDirectory = await Deno.makeTempDir({ dir: directory });
      const other = await makeCertificate(otherDirectory);
      for (
        const [cert, key, line] of [
          [keyFile, keyFile, /^Cannot read the certificate or its key: .+\n$/],
          [
            certFile,
            certFile,
            /^Cannot read the certificate or its key: .+\n$/,
          ],
          [
            certFile,
            other.keyFile,
            /^The key is that of another certificate\n$/,
          ],
        ] as const
      ) {
        const args = ["--port", "0", "--cert", cert, "--key", key];
        await using server = startExample("https_server", args, PERMISSIONS);
        assertFailed(await server.ending(), 1, line);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
  absence.task,
);

/** The answer to curl or, where that is not installed, to Deno. */
async function securely(
  url: string,
  { cert, certFile }: Certificate,
): Promise<string> {
  if (curlAbsence === undefined) return await curl("--cacert", certFile, url);
  using client = Deno.createHttpClient({ caCerts: [cert] });
  return await (await fetch(url, { client })).text();
}

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

const NOWHERE = "/tmp/pollux-no-such-socket";
const FREE_PORT = `${freePort()}`;

for (
  const [option, value, error, absent] of [
    ["--path", NOWHERE, `connect ENOENT ${NOWHERE}`, absence.unixSockets],
    ["--port", FREE_PORT, `connect ECONNREFUSED 127.0.0.1:${FREE_PORT}`],
  ] as const
) {
  testExamples(
    `database ${option} refuses with one line without a server`,
    async () => {
      const args = [option, value];
      await using program = startExample("database", args, PERMISSIONS);
      const { code, errors } = await program.ending();
      assertEquals([code, errors], [1, `${error}\n`]);
    },
    absent,
    absence.task,
  );
}
