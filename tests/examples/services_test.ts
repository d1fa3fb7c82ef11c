/** Five services, each as its RFC has it, over TCP and over UDP. */

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
import { askInPython, netcatAbsence, startNetcat } from "./user.ts";

const HOST = "127.0.0.1";

/** Where each service is, from the base port. */
const ECHO = 7, DISCARD = 9, DAYTIME = 13, CHARGEN = 19, TIME = 37;

/** What differs by more is another time, in seconds. */
const MINUTE = 60;

/** The stream of RFC 864's example, as one character after the other. */
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

testExamples("services say where each of them is", async () => {
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

testExamples("services answer Python over TCP", async () => {
  await using services = await startServices();
  const ask = (service: number, message: string): Promise<Uint8Array> =>
    askInPython("tcp", services.base + service, message);
  const long = "as it was ".repeat(100_000);
  assertEquals(await ask(ECHO, long), bytesOf(long));
  assertEquals(await ask(DISCARD, long), new Uint8Array());
  assertToday(await ask(DAYTIME, long));
  assertNow(await ask(TIME, ""));
}, absence.python);

testExamples("services answer Python over UDP", async () => {
  await using services = await startServices();
  const ask = (service: number, message: string): Promise<Uint8Array> =>
    askInPython("udp", services.base + service, message);
  assertEquals(await ask(ECHO, "as it was"), bytesOf("as it was"));
  assertToday(await ask(DAYTIME, ""));
  assertNow(await ask(TIME, "what time is it?"));
  const characters = await ask(CHARGEN, "");
  assertLessOrEqual(characters.length, 512);
  assertPattern(characters);
}, absence.python);

testExamples(
  "services: nc is told the day, and lines without end",
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
    await discard.type("nobody hears this\n");
    await echo.type("this comes back\n");
    await echo.shows("this comes back\n");
    assertEquals(discard.text, "");
  },
  netcatAbsence,
);

testExamples(
  "services: chargen waits for a peer that does not read",
  async () => {
    await using services = await startServices();
    const { base, program } = services;
    using slow = await Deno.connect({ hostname: HOST, port: base + CHARGEN });
    const buffer = new Uint8Array(64 * 1024);
    // It has begun; more than the system keeps follows, and nothing is left out.
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

/** Waits for a while in which a program does not run at all: not even a moment, to queue a page. */
async function isAsleep(program: Program): Promise<void> {
  const WATCHED = 100;
  for (let before = "", now = activity(program); now !== before;) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, WATCHED));
    now = activity(program);
  }
}

/** How often a program's main thread went to sleep or was interrupted, and all CPU time. */
function activity({ pid }: Program): string {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const switches = status.match(/^\w*voluntary_ctxt_switches:.*$/gm) ?? [];
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in parentheses, may have spaces: utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [...switches, fields[11], fields[12]].join("\n");
}

testExamples(
  "services do not answer each other, and discard nobody",
  async () => {
    await using services = await startServices();
    const { base } = services;
    const to = (service: number) => ({ hostname: HOST, port: base + service });
    const buffer = new Uint8Array(100);
    using stack = new DisposableStack();
    // From each of their ports, as a forged sender would: no pair may begin to talk.
    const others = [ECHO, DISCARD, DAYTIME, CHARGEN, TIME].map((service) => {
      const forged = stack.use(Socket.create("IPv4", "datagram"));
      forged.bind({ hostname: "127.0.0.2", port: base + service });
      return forged;
    });
    using person = Socket.create("IPv4", "datagram");
    for (const service of [CHARGEN, ECHO, TIME, DAYTIME]) {
      for (const forged of others) {
        forged.sendTo(bytesOf("answer me for ever"), to(service));
      }
      person.sendTo(bytesOf("discard me"), to(DISCARD));
      person.sendTo(bytesOf("answer me"), to(service));
      await eventually(() => person.recvFrom(buffer) !== null, "the answer");
      // It would have come before.
      for (const forged of others) {
        assertEquals(forged.recvFrom(buffer), null);
      }
    }
    assertEquals(person.recvFrom(buffer), null);
  },
  absence.proc && "only Linux has 127.0.0.2",
);
