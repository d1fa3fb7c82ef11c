/**
 * Descriptors that a service manager passes: `systemd-socket-activate`, or a program in
 * Python for descriptors of other kinds.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { ffiPermissionFlag, Socket } from "../../../backends/ffi/mod.ts";
import { freePort } from "../../examples/start.ts";
import { absenceOf, Program } from "../../program.ts";
import { denoProgram, emulated, test } from "../../util.ts";

const ROOT = new URL("../../../", import.meta.url);

const ENVIRONMENT = "LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES";

const absent = Deno.build.os !== "linux"
  ? "this is not Linux"
  : emulated
  ? "the emulator runs one program"
  : undefined;

const python = absent ?? await absenceOf("python3", "--version");
const systemd = absent ??
  await absenceOf("systemd-socket-activate", "--version");

/** Opens descriptors of each kind, and becomes the program in its arguments. */
const LAUNCHER = `
import os, socket, sys
tcp = socket.create_server(("127.0.0.1", 0))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
left, right = socket.socketpair()
reader, writer = os.pipe()
passed = [tcp.fileno(), udp.fileno(), left.fileno(), reader]
# Above all numbers that are passed.
high = [os.dup2(fd, 100 + index) for index, fd in enumerate(passed)]
for index, fd in enumerate(high):
    os.dup2(fd, 3 + index)
os.environ["LISTEN_PID"] = sys.argv[1] or str(os.getpid())
os.environ["LISTEN_FDS"] = "4"
if sys.argv[2]:
    os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
`;

/** Prints all that is inherited, twice, and the environment afterwards. */
const PROGRAM = `
import {
  inheritedFiles,
  inheritedSockets,
} from "${ROOT.href}adapters/systemd/mod.ts";
import { bindCalls } from "${ROOT.href}backends/ffi/calls.ts";
import { isBlocking } from "${ROOT.href}backends/ffi/mod.ts";

using c = bindCalls({
  fcntl: { parameters: ["i32", "i32"], variadic: ["i32"], result: "i32" },
});
const F_GETFD = 1;
const sockets = inheritedSockets();
const files = inheritedFiles();
for (const { name, socket, listening } of sockets) {
  const { domain, type, fd } = socket;
  const flags = [isBlocking(fd), c.fcntl(fd, F_GETFD, 0)];
  console.log(name, fd, domain, type, listening, ...flags);
}
for (const { name, fd } of files) {
  console.log(name, fd, "file", c.fcntl(fd, F_GETFD, 0));
}
console.log("again", inheritedSockets().length, inheritedFiles().length);
const names = "${ENVIRONMENT}".split(",");
console.log("unset", !names.some((name) => Deno.env.has(name)));
`;

/** A file with the program. */
class Source implements Disposable {
  readonly path = Deno.makeTempFileSync({ suffix: ".ts" });

  constructor(text = PROGRAM) {
    Deno.writeTextFileSync(this.path, text);
  }

  /** The command that runs it with the narrowest permissions. */
  get command(): string[] {
    const flags = [ffiPermissionFlag(), `--allow-env=${ENVIRONMENT}`];
    const options = ["--no-prompt", "--no-check", ...flags];
    return [denoProgram(), "run", ...options, this.path];
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

/** Runs the program with descriptors of each kind. */
async function launch(
  { pid = "", names = "web:dns:peer:log" } = {},
): Promise<{ readonly lines: readonly string[]; readonly errors: string }> {
  using source = new Source();
  const args = ["-c", LAUNCHER, pid, names, ...source.command];
  await using program = new Program("python3", args);
  const { lines, errors } = await program.ending();
  return { lines, errors };
}

function withPython(name: string, body: () => Promise<void>): void {
  const reason = python === undefined ? "" : ` (ignored: ${python})`;
  test(`${name}${reason}`, body, { ignore: python !== undefined });
}

withPython(
  "inheritedSockets: takes sockets of each kind, once, and unsets the variables",
  async () => {
    assertEquals(await launch(), {
      lines: [
        "web 3 IPv4 stream true false 1",
        "dns 4 IPv4 datagram false false 1",
        "peer 5 unix stream false false 1",
        "log 6 file 1",
        "again 0 0",
        "unset true",
      ],
      errors: "",
    });
  },
);

withPython(
  "inheritedSockets: takes none that are for another process",
  async () => {
    const { lines } = await launch({ pid: "1" });
    assertEquals(lines, ["again 0 0", "unset true"]);
  },
);

withPython(
  "inheritedSockets: descriptors without names are unknown",
  async () => {
    const { lines } = await launch({ names: "" });
    const names = lines.slice(0, 4).map((line) => line.split(" ")[0]);
    assertEquals(names, Array(4).fill("unknown"));
  },
);

withPython(
  "inheritedSockets: reports names that are too few",
  async () => {
    const { lines, errors } = await launch({ names: "web:dns" });
    assertEquals(lines, []);
    assertStringIncludes(errors, "InvalidData");
    assertStringIncludes(errors, "LISTEN_FDNAMES=web:dns");
  },
);

test(
  `inheritedSockets: takes those of systemd-socket-activate${
    systemd === undefined ? "" : ` (ignored: ${systemd})`
  }`,
  async () => {
    using source = new Source();
    const directory = Deno.makeTempDirSync();
    const path = `${directory}/socket`;
    const port = freePort();
    const args = ["-l", `127.0.0.1:${port}`, "-l", path, "--fdname=web:local"];
    await using activator = new Program("systemd-socket-activate", [
      ...args,
      ...source.command,
    ]);
    // It starts the program at the first connection.
    await activator.until(
      () => activator.errors.includes(`Listening on ${path}`),
    );
    using client = Socket.create("unix");
    client.connect({ path });
    const { lines, errors } = await activator.ending();
    assertEquals(lines, [
      "web 3 IPv4 stream true false 1",
      "local 4 unix stream true false 1",
      "again 0 0",
      "unset true",
    ], errors);
    Deno.removeSync(directory, { recursive: true });
  },
  { ignore: systemd !== undefined },
);
