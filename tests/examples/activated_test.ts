/** A service that systemd-socket-activate starts. */

import { assertEquals } from "@std/assert";
import { Socket } from "../../backends/ffi/mod.ts";
import { absenceOf, assertFailed, Program } from "../program.ts";
import { bytesOf, denoProgram, emulated, eventually } from "../util.ts";
import { freePort, startExample, testExamples } from "./start.ts";

const ENVIRONMENT =
  "LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES,NOTIFY_SOCKET,WATCHDOG_USEC,WATCHDOG_PID";

const absent = emulated
  ? "the emulator runs one program"
  : await absenceOf("systemd-socket-activate", "--version");

/** A directory of sockets, one of which the service notifies. */
class Place implements Disposable {
  readonly directory = Deno.makeTempDirSync();
  readonly messages: string[] = [];
  readonly #socket = Socket.create("unix", "datagram");

  constructor() {
    this.#socket.bind({ path: `${this.directory}/notify` });
  }

  /** Waits for a message of the service. */
  async message(text: string): Promise<void> {
    const buffer = new Uint8Array(1000);
    await eventually(() => {
      for (let count; (count = this.#socket.recv(buffer)) > 0;) {
        const bytes = buffer.subarray(0, count);
        this.messages.push(new TextDecoder().decode(bytes));
      }
      return this.messages.includes(text);
    }, text);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Starts the example by the command of its head. */
async function activate(
  { directory }: Place,
  args: readonly string[],
  last: string,
): Promise<Program> {
  const variables = {
    NOTIFY_SOCKET: `${directory}/notify`,
    WATCHDOG_USEC: "100000",
  };
  const command = [denoProgram(), "run", "--no-prompt", "--allow-ffi"];
  const program = new Program("systemd-socket-activate", [
    ...args,
    ...Object.entries(variables).map(([name, value]) => `-E${name}=${value}`),
    ...command,
    `--allow-env=${ENVIRONMENT}`,
    "examples/activated.ts",
  ]);
  await program.until(() => program.errors.includes(`Listening on ${last}`));
  return program;
}

/** Sends a line, and returns the line that comes back. */
async function echo(
  connection: Deno.Conn,
  text = "hello\n",
): Promise<string> {
  await connection.write(bytesOf(text));
  let received = "";
  const buffer = new Uint8Array(100);
  while (!received.endsWith("\n")) {
    const count = await connection.read(buffer) ?? 0;
    if (count === 0) break;
    received += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return received;
}

testExamples(
  "activated: serves TCP and Unix sockets, and notifies systemd",
  async () => {
    using place = new Place();
    const port = freePort();
    const path = `${place.directory}/socket`;
    const names = "--fdname=tcp:local";
    const args = ["-l", `127.0.0.1:${port}`, "-l", path, names];
    await using program = await activate(place, args, path);
    {
      using tcp = await Deno.connect({ hostname: "127.0.0.1", port });
      assertEquals(await echo(tcp), "hello\n");
      using local = await Deno.connect({ transport: "unix", path });
      assertEquals(await echo(local), "hello\n");
    }
    await place.message("READY=1\nSTATUS=Serves 2 sockets");
    await place.message("WATCHDOG=1");
    program.kill("SIGTERM");
    await place.message("STOPPING=1");
    const { code, lines } = await program.ending();
    assertEquals(code, 0);
    assertEquals(lines, [
      `Serves tcp: 127.0.0.1:${port}`,
      `Serves local: ${path}`,
    ]);
  },
  absent,
);

testExamples(
  "activated: serves UDP sockets",
  async () => {
    using place = new Place();
    const port = freePort();
    const address = { hostname: "127.0.0.1", port };
    const args = ["-d", "-l", `127.0.0.1:${port}`];
    await using program = await activate(place, args, `127.0.0.1:${port}`);
    using client = Socket.create("IPv4", "datagram");
    client.sendTo(bytesOf("hello"), address);
    const buffer = new Uint8Array(10);
    let bytes: number | undefined;
    await eventually(() => {
      bytes = client.recvFrom(buffer)?.bytes;
      return bytes !== undefined;
    }, "the reply");
    assertEquals(bytes, 5);
    program.kill("SIGINT");
    assertEquals((await program.ending()).code, 0);
  },
  absent,
);

testExamples("activated: says how it is started", async () => {
  const permissions = ["--allow-ffi", `--allow-env=${ENVIRONMENT}`];
  await using program = startExample("activated", [], permissions);
  assertFailed(await program.ending(), 2, /systemd-socket-activate/);
});
