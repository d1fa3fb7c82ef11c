/** A DNS server, asked by the clients of BIND and of the field. */

import { assertEquals, assertMatch } from "@std/assert";
import { absenceOf, assertFailed, type Program } from "../program.ts";
import { RunningServer } from "../../bench/dns/running_server.ts";
import { nsd } from "../../bench/dns/servers.ts";
import { Rcode } from "../../examples/dns_server/zone.ts";
import { Socket } from "../../mod.ts";
import { chooseSeed, eventually, Random } from "../util.ts";
import { headerOf, ID, queryOf } from "./dns_server/queries.ts";
import { startExample, testExamples } from "./start.ts";

const PERMISSIONS = ["--allow-ffi", "--allow-read=."];

const digAbsence = await absenceOf("dig", "-v");
const nsdAbsence = await nsd.version() === null ? "there is no nsd" : undefined;
const dnsperfAbsence = await absenceOf("dnsperf", "-h");

function startServer(...args: string[]): Program {
  return startExample("dns_server", ["--port", "0", ...args], PERMISSIONS);
}

async function output(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args }).output();
  return new TextDecoder().decode(stdout);
}

/** The output of `dig` for a question: one line for the status, and the records. */
async function dig(port: number, ...question: string[]): Promise<string[]> {
  const text = await output(
    ...["dig", "@127.0.0.1", "-p", `${port}`, "+tries=1", "+time=5"] as const,
    ...["+noall", "+comments", "+answer", "+authority", "+norec"],
    ...question,
  );
  const status = text.match(/status: (\w+)/)?.[1];
  const flags = text.match(/flags: ([\w ]+)/)?.[1];
  const records = text.split("\n").filter((line) => /^[^;]/.test(line));
  return [
    `${status} ${flags}`,
    ...records.map((line) => line.replace(/\s+/g, " ")),
  ];
}

const SOA =
  "example.org. 300 IN SOA ns1.example.org. hostmaster.example.org. " +
  "2026112801 7200 900 1209600 300";

for (
  const [question, ...lines] of [
    ["example.org A", "NOERROR qr aa", "example.org. 3600 IN A 192.0.2.1"],
    [
      "example.org AAAA",
      "NOERROR qr aa",
      "example.org. 3600 IN AAAA 2001:db8::1",
    ],
    [
      "weather.example.org TXT",
      "NOERROR qr aa",
      'weather.example.org. 60 IN TXT "sunny; \\"21 \\176C\\""',
    ],
    [
      "www.example.org MX",
      "NOERROR qr aa",
      "www.example.org. 3600 IN CNAME example.org.",
      "example.org. 3600 IN MX 10 mail.example.org.",
    ],
    ["below.example.org A", "NOERROR qr aa", SOA],
    ["no.example.org A", "NXDOMAIN qr aa", SOA],
    ["example.com A", "REFUSED qr"],
    ["version.bind CH TXT", "REFUSED qr"],
    ["example.org A +opcode=update", "NOTIMP qr"],
    ["example.org A +edns=1 +noednsnegotiation", "BADVERS qr"],
    ["many.example.org TXT +noedns +ignore", "NOERROR qr aa tc"],
  ] satisfies [string, ...string[]][]
) {
  testExamples(`dns_server: dig ${question}`, async () => {
    await using server = startServer();
    const port = await server.port();
    for (const protocol of ["+notcp", "+tcp"]) {
      // Over TCP nothing is truncated.
      if (protocol === "+tcp" && question.includes("+ignore")) continue;
      const words = question.split(" ");
      assertEquals(await dig(port, ...words, protocol), lines);
    }
  }, digAbsence);
}

/** Names of the zone, above it and below them. */
const NAMES = [
  ...["example.org", "EXAMPLE.org", "www.example.org", "chain.example.org"],
  ...["elsewhere.example.org", "weather.example.org", "many.example.org"],
  ...["below.example.org", "deep.below.example.org", "no.example.org"],
  ...["x.weather.example.org", "x.www.example.org", "org", "example.com", "."],
];

const KINDS = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "PTR", "SRV", "TYPE999"];

testExamples(
  "dns_server: answers as nsd does, with all names and types",
  async () => {
    await using server = startServer();
    await using reference = await RunningServer.start(nsd);
    const questions = NAMES.flatMap((name) =>
      KINDS.flatMap((kind) => [name, kind])
    );
    for (const way of ["+edns", "+noedns", "+tcp"]) {
      const options = [way, "+ignore", ...questions];
      const [ours, theirs] = await Promise.all([
        digAll(await server.port(), options),
        digAll(reference.port, options),
      ]);
      assertEquals(ours, theirs);
      assertEquals(ours.filter((line) => line.includes("status:")).length, 135);
    }
  },
  digAbsence,
  nsdAbsence,
);

/** The statuses, flags and records of the answers to many questions. */
async function digAll(
  port: number,
  options: readonly string[],
): Promise<string[]> {
  const text = await output(
    ...["dig", "@127.0.0.1", "-p", `${port}`, "+noall", "+comments"] as const,
    ...["+answer", "+authority", "+norec", ...options],
  );
  // nsd also explains a refusal by an option of EDNS.
  return text.split("\n")
    .filter((line) => /^[^;]|status:|flags: [a-z ]+; QUERY/.test(line))
    .map((line) => line.replace(/id: \d+|ADDITIONAL: \d+/g, ""));
}

testExamples(
  "dns_server: dig asks again over TCP after truncation",
  async () => {
    await using server = startServer();
    const port = await server.port();
    const lines = await dig(port, "many.example.org", "TXT", "+noedns");
    assertEquals([lines.length, lines[0]], [8, "NOERROR qr aa"]);
  },
  digAbsence,
);

testExamples(
  "dns_server: answers queries that arrive in pieces over TCP",
  async () => {
    await using server = startServer();
    const port = await server.port();
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    const query = queryOf();
    const message = new Uint8Array([0, query.length, ...query]);
    const several = new Uint8Array([...message, ...message, ...message]);
    for (let at = 0; at < several.length; at += 7) {
      await connection.write(several.subarray(at, at + 7));
    }
    await connection.closeWrite();
    const answers = await new Response(connection.readable).bytes();
    assertEquals(answers.length, 3 * (2 + query.length + 16));
  },
);

testExamples(
  "dns_server: answers after random bytes over UDP and TCP",
  async () => {
    const seed = chooseSeed();
    const random = new Random(seed);
    await using server = startServer();
    const port = await server.port();
    const hostname = "127.0.0.1";
    using client = Socket.create("IPv4", "datagram");
    client.connect({ hostname, port });
    for (let round = 0; round < 100; round++) {
      client.send(random.bytes(random.below(600)));
    }
    using connection = await Deno.connect({ hostname, port });
    await connection.write(random.bytes(10_000));
    client.send(queryOf());
    await eventually(() => {
      const received = new Uint8Array(512);
      const length = client.recv(received);
      return length > 12 && headerOf(received).id === ID &&
        headerOf(received).rcode === Rcode.NoError;
    }, `an answer (POLLUX_SEED=${seed})`);
  },
);

testExamples("dns_server: answers dnsperf, and loses nothing", async () => {
  await using server = startServer();
  const port = await server.port();
  const queries = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(queries, "www.example.org A\nno.example.org A\n");
    const said = await output(
      ...["dnsperf", "-s", "127.0.0.1", "-p", `${port}`, "-d"] as const,
      ...[queries, "-n", "2000", "-q", "50"],
    );
    assertMatch(said, /Queries completed: +4000 \(100.00%\)/);
    assertMatch(said, /NOERROR 2000 \(50.00%\), NXDOMAIN 2000 \(50.00%\)/);
  } finally {
    await Deno.remove(queries);
  }
}, dnsperfAbsence);

testExamples(
  "dns_server: a malformed zone file is one line, and status 1",
  async () => {
    const file = await Deno.makeTempFile({ dir: ".", suffix: ".zone" });
    try {
      await Deno.writeTextFile(
        file,
        "@ 60 IN SOA ns host 1 2 3 4 5\na A 1.2.3\n",
      );
      await using server = startServer("--zone", file);
      assertFailed(await server.ending(), 1, /: Line 2: Cannot use "1\.2\.3"/);
    } finally {
      await Deno.remove(file);
    }
  },
);
