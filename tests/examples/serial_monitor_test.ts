/** The monitor of a serial port. socat makes the port, and types into it. */

import { assertEquals } from "@std/assert";
import { absenceOf, assertFailed, Program, startDeno } from "../program.ts";
import { absence, assertIdle, startExample, testExamples } from "./start.ts";

/** Characters of a line that are printed. */
const LONGEST_LINE = 64 * 1024;

/** A port that socat connects with its own input and output. */
class Device implements AsyncDisposable {
  readonly path: string;
  readonly program: Program;
  readonly #directory: string;

  constructor() {
    this.#directory = Deno.makeTempDirSync();
    this.path = `${this.#directory}/port`;
    const args = ["-d", "-d", `pty,rawer,link=${this.path}`, "-"];
    this.program = new Program("socat", args, { hasInput: true });
  }

  async isReady(): Promise<void> {
    const { program } = this;
    await program.until(() =>
      program.errors.includes("starting data transfer")
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Starts the example, and types into it. */
function startMonitor(...args: string[]): Program {
  const file = "examples/serial_monitor.ts";
  const command = ["run", "--no-prompt", "--allow-ffi", file];
  return startDeno([...command, ...args], { hasInput: true });
}

async function withDevice(
  body: (device: Device, monitor: Program) => Promise<void>,
): Promise<void> {
  await using device = new Device();
  await device.isReady();
  await using monitor = startMonitor(device.path, "--baud", "9600");
  await monitor.line(/^\/.*\/port is open, with 9600 bits a second$/);
  await body(device, monitor);
}

const reasons = [absence.epoll, await absenceOf("socat", "-V")];

testExamples(
  "serial_monitor: prints the lines of the device, and sends typed ones",
  () =>
    withDevice(async (device, monitor) => {
      await device.program.type("temperature 21\r\ntemp");
      await monitor.line(/^\d\d:\d\d:\d\d temperature 21$/);
      await device.program.type("erature 22\n");
      await monitor.line(/^\d\d:\d\d:\d\d temperature 22$/);
      await monitor.type("status\n");
      await device.program.shows("status\r\n");
    }),
  ...reasons,
);

testExamples(
  "serial_monitor: a long line is cut",
  () =>
    withDevice(async (device, monitor) => {
      const longest = "x".repeat(LONGEST_LINE);
      for (let part = 0; part < 4; part++) await device.program.type(longest);
      await device.program.type("\nnext\n");
      await monitor.line(/ next$/);
      assertEquals(monitor.lines[1]!.slice(9), longest);
    }),
  ...reasons,
);

testExamples(
  "serial_monitor: Ctrl-C ends it",
  () =>
    withDevice(async (_, monitor) => {
      monitor.kill("SIGINT");
      const { code, errors, lines } = await monitor.ending();
      assertEquals({ code, errors }, { code: 0, errors: "" });
      assertEquals(lines.length, 1);
    }),
  ...reasons,
);

testExamples(
  "serial_monitor: the end of its input does not end it",
  () =>
    withDevice(async (device, monitor) => {
      await monitor.endInput();
      await device.program.type("still here\n");
      await monitor.line(/ still here$/);
    }),
  ...reasons,
);

testExamples(
  "serial_monitor: ends when the device is unplugged",
  () =>
    withDevice(async (device, monitor) => {
      device.program.kill("SIGKILL");
      const { code, errors, lines } = await monitor.ending();
      assertEquals({ code, errors }, { code: 0, errors: "" });
      assertEquals(lines.at(-1), "The device was unplugged");
    }),
  ...reasons,
);

testExamples(
  "serial_monitor: a port that is in use is one line, and status 1",
  () =>
    withDevice(async (device) => {
      await using second = startMonitor(device.path);
      const line = /^Device or resource busy .*: flock '\/.*\/port'\n$/;
      assertFailed(await second.ending(), 1, line);
    }),
  ...reasons,
);

testExamples(
  "serial_monitor: uses no CPU while nothing is sent",
  () => withDevice((_, monitor) => assertIdle([monitor])),
  ...reasons,
);

testExamples(
  "serial_monitor: a missing port is one line, and status 1",
  async () => {
    await using program = startExample("serial_monitor", ["/nowhere/port"]);
    const line = /^No such file .*: open '\/nowhere\/port'\n$/;
    assertFailed(await program.ending(), 1, line);
  },
  absence.epoll,
);

for (
  const [args, line] of [
    [[], /^Usage: serial_monitor.ts PATH \[--baud RATE\]\n$/],
    [["/dev/ttyS0", "--baud", "fast"], /^Cannot use rate "fast"/],
    [["/dev/ttyS0", "--baud", "0"], /^Cannot use rate "0"/],
  ] as const
) {
  testExamples(
    `serial_monitor ${
      args.join(" ") || "alone"
    }: is refused with one line, and status 2`,
    async () => {
      await using program = startExample("serial_monitor", args);
      assertFailed(await program.ending(), 2, line);
    },
  );
}
