/**
 * Messages to a service manager, which is a datagram socket of the test here.
 */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  notify,
  type ServiceState,
  watchdogInterval,
} from "../../../adapters/systemd/mod.ts";
import {
  close,
  ffiPermissionFlag,
  pipe,
  read,
  Socket,
  write,
} from "../../../backends/ffi/mod.ts";
import { emulated, runDeno, test } from "../../util.ts";

const linux = Deno.build.os === "linux";

function onLinux(name: string, body: () => void): void {
  const reason = linux ? "" : " (ignored: this is not Linux)";
  test(`${name}${reason}`, body, { ignore: !linux });
}

/** Sets environment variables until the end of the scope. */
function environment(
  variables: Readonly<Record<string, string>>,
): Disposable {
  for (const [name, value] of Object.entries(variables)) {
    Deno.env.set(name, value);
  }
  return {
    [Symbol.dispose](): void {
      for (const name of Object.keys(variables)) Deno.env.delete(name);
    },
  };
}

/** A service manager, at a path or an abstract name. */
class Manager implements Disposable {
  readonly #directory = Deno.makeTempDirSync();
  readonly #socket = Socket.create("unix", "datagram");
  readonly #environment: Disposable;
  /** Descriptors of the last message. */
  descriptors: number[] = [];

  constructor(isAbstract = false) {
    const path = `${this.#directory}/notify`;
    this.#socket.bind({ path: isAbstract ? `\0${path}` : path });
    const name = isAbstract ? `@${path}` : path;
    this.#environment = environment({ NOTIFY_SOCKET: name });
  }

  /** The next message; null without one. */
  receive(): string | null {
    const buffer = new Uint8Array(1000);
    const message = this.#socket.receiveMessage(buffer, { descriptors: 10 });
    this.descriptors = message?.descriptors ?? [];
    return message &&
      new TextDecoder().decode(buffer.subarray(0, message.bytes));
  }

  [Symbol.dispose](): void {
    this.#environment[Symbol.dispose]();
    this.#socket.close();
    Deno.removeSync(this.#directory, { recursive: true });
  }
}

for (const isAbstract of [false, true]) {
  const place = isAbstract ? "an abstract name" : "a path";
  onLinux(`notify: sends all fields of the state to ${place}`, () => {
    using manager = new Manager(isAbstract);
    const state = {
      ready: true,
      stopping: true,
      status: "Serves 8001",
      mainPid: 42,
      watchdog: true,
    };
    assertEquals(notify(state), true);
    const text =
      "READY=1\nSTOPPING=1\nSTATUS=Serves 8001\nMAINPID=42\nWATCHDOG=1";
    assertEquals([manager.receive(), manager.receive()], [text, null]);
  });
}

onLinux("notify: a field that is false is not sent", () => {
  using manager = new Manager();
  assertEquals(notify({ ready: false, watchdog: false }), true);
  assertEquals(manager.receive(), null);
});

onLinux("notify: `reloading` has the time of the monotonic clock", () => {
  using manager = new Manager();
  notify({ reloading: true });
  const text = manager.receive()!;
  assertMatch(text, /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  const [uptime] = Deno.readTextFileSync("/proc/uptime").split(" ").map(Number);
  const seconds = Number(text.split("=").at(-1)) / 1_000_000;
  // The uptime includes the time that the machine was suspended.
  assert(seconds < uptime! + 60 && seconds > uptime! / 3, `${seconds} s`);
});

onLinux("notify: stores descriptors by name before the state is sent", () => {
  using manager = new Manager();
  const [reader, writer] = pipe();
  notify({
    ready: true,
    descriptors: { "a pipe": writer, other: { fd: reader } },
    removedDescriptors: ["older"],
  });
  assertEquals(manager.receive(), "FDSTOREREMOVE=1\nFDNAME=older");
  assertEquals(manager.receive(), "FDSTORE=1\nFDNAME=a pipe");
  const [copy] = manager.descriptors;
  write(copy!, new Uint8Array(3));
  assertEquals(read(reader, new Uint8Array(10)), 3);
  assertEquals(manager.receive(), "FDSTORE=1\nFDNAME=other");
  const fds = [reader, writer, copy!, ...manager.descriptors];
  assertEquals(manager.receive(), "READY=1");
  for (const fd of fds) close(fd);
});

onLinux("notify: returns false without a service manager", () => {
  assertEquals(notify({ ready: true }), false);
});

onLinux("notify: refuses a wrong state before anything is sent", () => {
  using manager = new Manager();
  const wrong: readonly (readonly [object, string])[] = [
    [{ redy: true }, 'did you mean "ready"?'],
    [{ status: "two\nlines" }, "one line"],
    [{ descriptors: { "a:b": 0 } }, '"a:b"'],
    [{ descriptors: { "é": 0 } }, '"é"'],
    [{ removedDescriptors: ["\n"] }, "name of a descriptor"],
  ];
  for (const [state, message] of wrong) {
    assertThrows(() => notify(state as ServiceState), TypeError, message);
  }
  assertThrows(() => notify({ mainPid: 0 }), RangeError);
  assertEquals(manager.receive(), null);
});

onLinux(
  "notify: reports a manager that is gone, and one that is no socket",
  () => {
    {
      using _environment = environment({ NOTIFY_SOCKET: "/nowhere/notify" });
      assertThrows(() => notify({ ready: true }), Deno.errors.NotFound);
    }
    using _environment = environment({ NOTIFY_SOCKET: "vsock:2:1234" });
    assertThrows(() => notify({ ready: true }), Deno.errors.NotSupported);
  },
);

onLinux("notify: does not wait for a manager whose queue is full", () => {
  using manager = new Manager();
  assertThrows(() => {
    for (let count = 0; count < 100_000; count++) notify({ watchdog: true });
  }, Deno.errors.WouldBlock);
  assertEquals(manager.receive(), "WATCHDOG=1");
});

onLinux("watchdogInterval: is WATCHDOG_USEC in milliseconds", () => {
  assertEquals(watchdogInterval(), null);
  using _environment = environment({ WATCHDOG_USEC: "1500000" });
  assertEquals(watchdogInterval(), 1500);
  using _own = environment({ WATCHDOG_PID: `${Deno.pid}` });
  assertEquals(watchdogInterval(), 1500);
});

onLinux("watchdogInterval: is null for another process, and for 0", () => {
  using _environment = environment({ WATCHDOG_USEC: "0" });
  assertEquals(watchdogInterval(), null);
  Deno.env.set("WATCHDOG_USEC", "1000");
  using _other = environment({ WATCHDOG_PID: `${Deno.pid + 1}` });
  assertEquals(watchdogInterval(), null);
});

onLinux("watchdogInterval: refuses a time that is no number", () => {
  using _environment = environment({ WATCHDOG_USEC: "1s" });
  assertThrows(() => watchdogInterval(), Deno.errors.InvalidData, "1s");
});

const PROGRAM = `
import { notify, watchdogInterval } from "POLLUX/adapters/systemd/mod.ts";

const reported = notify({ ready: true, reloading: true, descriptors: { a: 0 } });
console.log(reported, watchdogInterval());
`;

test("notify: needs the C library and its variables alone", async () => {
  using manager = new Manager();
  const { stdout, stderr } = await runDeno(PROGRAM, [
    ffiPermissionFlag(),
    "--allow-env=NOTIFY_SOCKET,WATCHDOG_USEC,WATCHDOG_PID",
  ]);
  assertEquals(stdout, "true null\n", stderr);
  assertEquals(manager.receive(), "FDSTORE=1\nFDNAME=a");
  for (const fd of manager.descriptors) close(fd);
  assertMatch(manager.receive()!, /^READY=1\nRELOADING=1\n/);
}, { ignore: !linux || emulated });
