/** Five services as their RFCs specify them, over TCP and UDP. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLessOrEqual,
} from "@std/assert";
import { Socket } from "../../mod.ts";
import type { Program } from "../program.ts";
import { bytesOf, eventually } from "../util.ts";
import { absence, startServices, testExamples } from "./start.ts";
import { ask, language, netcat, startNetcat } from "./user.ts";

const HOST = "127.0.0.1";

/** The port of each service, counted from the base port. */
const ECHO = 7, DISCARD = 9, DAYTIME = 13, CHARGEN = 19, TIME = 37;

/** The allowed difference of two clocks, in seconds. */
const MINUTE = 60;

/** A character of the example in RFC 864. */
function patternAt(index: number): number {
  const column = index % 74;
  if (column === 72) return 13;
  if (column === 73) return 10;
  return 32 + (Math.floor(index / 74) + column) % 95;
}

function assertPattern(text: Uint8Array, from = 0): void {
  const wrong = text.findIndex((byte, index) =>
    byte !== patternAt(from + index)
  );
  assertEquals(wrong, -1);
}

/** RFC 868: 32 bits, the most significant first, of seconds since 1900. */
function assertNow(bytes: Uint8Array): void {
  assertEquals(bytes.length, 4);
  const days = 70 * 365 + 17;
  const seconds = new DataView(Uint8Array.from(bytes).buffer).getUint32(0);
  const since1970 = seconds - days * 24 * 60 * MINUTE;
  assertAlmostEquals(since1970, Date.now() / 1000, MINUTE);
}

function assertToday(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  assert(text.endsWith("\r\n"), text);
  assertAlmostEquals(Date.parse(text) / 1000, Date.now() / 1000, MINUTE);
}

testExamples("services print the address of each service", async () => {
  await using services = await startServices();
  const { program, base } = services;
  assertEquals(program.lines, [
    `Server start at: ${HOST}:${base + ECHO} (echo)`,
    `Server start at: ${HOST}:${base + DISCARD} (discard)`,
    `Server start at: ${HOST}:${base + DAYTIME} (daytime)`,
    `Server start at: ${HOST}:${base + CHARGEN} (chargen)`,
    `Server start at: ${HOST}:${base + TIME} (time)`,
  ]);
});

testExamples(`services answer ${language} over TCP`, async () => {
  await using services = await startServices();
  const askService = (service: number, text: string): Promise<Uint8Array> =>
    ask("tcp", services.base + service, text);
  const long = "the same ".repeat(100_000);
  assertEquals(await askService(ECHO, long), bytesOf(long));
  assertEquals(await askService(DISCARD, long), new Uint8Array());
  assertToday(await askService(DAYTIME, long));
  assertNow(await askService(TIME, ""));
});

testExamples(`services answer ${language} over UDP`, async () => {
  await using services = await startServices();
  const askService = (service: number, text: string): Promise<Uint8Array> =>
    ask("udp", services.base + service, text);
  assertEquals(await askService(ECHO, "the same"), bytesOf("the same"));
  assertToday(await askService(DAYTIME, ""));
  assertNow(await askService(TIME, "what time is it?"));
  const characters = await askService(CHARGEN, "");
  assertLessOrEqual(characters.length, 512);
  assertPattern(characters);
});

testExamples(
  `services: ${netcat} receives the date, and lines without end`,
  async () => {
    await using services = await startServices();
    await using daytime = startNetcat(HOST, services.base + DAYTIME);
    await daytime.endInput();
    await daytime.ending();
    assertToday(bytesOf(daytime.text));
    await using chargen = startNetcat(HOST, services.base + CHARGEN);
    await chargen.shows("\n!");
    await chargen.shows('\n"');
    await using discard = startNetcat(HOST, services.base + DISCARD);
    await using echo = startNetcat(HOST, services.base + ECHO);
    await discard.type("this is discarded\n");
    await echo.type("this comes back\n");
    await echo.shows("this comes back\n");
    assertEquals(discard.text, "");
  },
);

testExamples(
  "services: chargen waits for a peer that does not read",
  async () => {
    await using services = await startServices();
    const { base, program } = services;
    using slow = await Deno.connect({ hostname: HOST, port: base + CHARGEN });
    const buffer = new Uint8Array(64 * 1024);
    // After its first page the server has to wait. Then more bytes follow than the system
    // can hold, and none is missing.
    for (let read = 0; read < 16 * 1024 * 1024;) {
      const count = await slow.read(buffer);
      assert(count !== null, "the server has closed the connection");
      assertPattern(buffer.subarray(0, count), read);
      if (read === 0) await isAsleep(program);
      read += count;
    }
  },
  absence.proc,
);

/** Waits for an interval in which a program does not run at all. */
async function isAsleep(program: Program): Promise<void> {
  const WATCHED = 100;
  for (let before = "", now = activity(program); now !== before;) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, WATCHED));
    now = activity(program);
  }
}

/** The context switches and the CPU time of a program's main thread. */
function activity({ pid }: Program): string {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const switches = status.match(/^\w*voluntary_ctxt_switches:.*$/gm) ?? [];
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in parentheses, may have spaces: utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [...switches, fields[11], fields[12]].join("\n");
}

testExamples(
  "services do not answer each other, but all clients",
  async () => {
    await using services = await startServices();
    const { base } = services;
    const to = (service: number) => ({ hostname: HOST, port: base + service });
    const buffer = new Uint8Array(100);
    using stack = new DisposableStack();
    // A forged sender has the port of a service: two services must not answer each other.
    const others = [ECHO, DISCARD, DAYTIME, CHARGEN, TIME].map((service) => {
      const forged = stack.use(Socket.create("IPv4", "datagram"));
      forged.bind({ hostname: "127.0.0.2", port: base + service });
      return forged;
    });
    using client = Socket.create("IPv4", "datagram");
    for (const service of [CHARGEN, ECHO, TIME, DAYTIME]) {
      for (const forged of others) {
        forged.sendTo(bytesOf("answer me for ever"), to(service));
      }
      client.sendTo(bytesOf("discard me"), to(DISCARD));
      client.sendTo(bytesOf("answer me"), to(service));
      await eventually(() => client.recvFrom(buffer) !== null, "the answer");
      // An answer to these would have come first.
      for (const forged of others) {
        assertEquals(forged.recvFrom(buffer), null);
      }
    }
    assertEquals(client.recvFrom(buffer), null);
  },
  absence.proc && "only Linux has 127.0.0.2",
);
