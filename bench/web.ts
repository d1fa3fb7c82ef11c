/**
 * Compares the CPU time of HTTPS and of WebSocket: Node's classes on Deno's sockets, the
 * same on a reactor, and Deno's own servers.
 *
 *     deno task bench:web [--rounds N] [--slice SECONDS] [--markdown]
 *
 * Servers are pinned to one core, the load to the other. Deno's sockets are measured
 * twice, as a control: the difference is the noise.
 *
 * @module
 */

import { parseArguments, requirePrograms } from "./arguments.ts";
import { circumstances } from "./circumstances.ts";
import { type Contest, contest, type Entry } from "./contest.ts";
import { pinLoad } from "./harness.ts";
import { program } from "./peers/peer.ts";
import { print } from "./table.ts";
import { runSockets } from "./web/socket_load.ts";
import { runWrk, wrkVersion } from "./wrk.ts";

const CONNECTIONS = 50;

/** The servers: their names in the tables, and the arguments of their processes. */
const NETWORKS = [
  ["Node's, on Deno's sockets", "node"],
  ["Node's, on Deno's sockets, again", "node"],
  ["Node's, on a reactor", "reactor"],
  ["Deno's own", "deno"],
] as const;

function entries(kind: string, ...files: string[]): Entry[] {
  const file = program("../web/server.ts");
  return NETWORKS.map(([name, network]) => ({
    name,
    command: (port) => ["run", "-A", file, kind, network, `${port}`, ...files],
  }));
}

/** Makes a certificate that signs itself, and returns its file and that of its key. */
async function makeCertificate(folder: string): Promise<[string, string]> {
  const files: [string, string] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const { success } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-nodes", "-days", "1"],
      ...["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"],
      ...["-out", files[0], "-keyout", files[1]],
    ],
    stderr: "null",
  }).output();
  if (!success) throw new Error("openssl failed");
  return files;
}

async function compare(
  title: string,
  entries: readonly Entry[],
  terms: Contest,
  markdown: boolean,
): Promise<void> {
  const where = circumstances({
    versions: [await wrkVersion()],
    rounds: terms.rounds,
    slice: terms.slice * 1000,
  });
  const results = await contest(entries, terms);
  print({
    title,
    circumstances: where,
    headings: ["server", "a second", "CPU µs", "CPU, × Deno's sockets"],
    rows: results.map((
      { name, rate, cpu, cpuRatio },
    ) => [name, rate, cpu, cpuRatio]),
    notes: [],
  }, markdown);
}

if (import.meta.main) {
  const { rounds, slice, markdown } = parseArguments();
  await requirePrograms("wrk", "openssl");
  await pinLoad();
  const common = {
    rounds,
    slice,
    isPinned: true,
  };
  const folder = await Deno.makeTempDir();
  const files = await makeCertificate(folder);
  await compare("HTTPS, requests", entries("https", ...files), {
    ...common,
    run: (port, seconds) =>
      runWrk(port, CONNECTIONS, seconds, { scheme: "https" }),
  }, markdown);
  await compare("WebSocket, echoes of 64 B", entries("websocket"), {
    ...common,
    run: (port, seconds) => runSockets(port, CONNECTIONS, seconds),
  }, markdown);
  await Deno.remove(folder, { recursive: true });
}
