/**
 * Programs that `spawn()` starts: their arguments, streams and ends.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { spawn, watchProcess } from "../../../adapters/process/mod.ts";
import { ffiPermissionFlag } from "../../../backends/ffi/mod.ts";
import { system } from "../../../backends/ffi/current_system.ts";
import { close, dup, pipe, read } from "../../../backends/ffi/descriptor.ts";
import { fcntl } from "../../../backends/ffi/libc.ts";
import { processCalls } from "../../../backends/ffi/process_calls.ts";
import { createSelector } from "../../../backends/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import {
  denoProgram,
  emulated,
  eventually,
  runDeno,
  test,
} from "../../util.ts";
import { onLinux, textOf } from "./stage.ts";
import "../../open_library.ts";

/** The children of this process, zombies included. */
function children(): string {
  const path = `/proc/self/task`;
  return [...Deno.readDirSync(path)]
    .map(({ name }) => Deno.readTextFileSync(`${path}/${name}/children`))
    .join("");
}

onLinux(
  "spawn: arguments keep their spaces, quotes and UTF-8",
  async (stage) => {
    const args = ["a b", "", "'\"$HOME", "é→𝄞", "-n"];
    const child = stage.spawn("printf", {
      args: ["%s\n", ...args],
      stdout: "pipe",
    });
    assertEquals((await textOf(child.stdout)).split("\n"), [...args, ""]);
    assertEquals(await child.status, { success: true, code: 0, signal: null });
  },
);

onLinux(
  "spawn: describe() and a stall name the onExit of a child",
  async (stage) => {
    const { reactor } = stage;
    const stalls: string[] = [];
    await reactor.diagnose({
      stallThreshold: 20,
      onDiagnosis: (found) => {
        if (found.kind === "stall") stalls.push(found.callback);
      },
    });
    const child = stage.spawn("cat", { stdin: "pipe" });
    child.onExit = function restart(): void {
      const end = performance.now() + 25;
      while (performance.now() < end);
    };
    const names = (await Array.fromAsync(reactor.describe()))
      .map(({ callback }) => callback);
    assert(names.includes("restart"), `${names}`);
    child.stdin.end();
    await eventually(() => stalls.includes("restart"), "a report");
  },
);

onLinux(
  "spawn: variables are added to those of this process",
  async (stage) => {
    Deno.env.set("POLLUX_INHERITED", "old");
    Deno.env.set("POLLUX_REPLACED", "old");
    const env = { POLLUX_REPLACED: "new é", POLLUX_ADDED: "a=b c" };
    const script =
      'echo "$POLLUX_INHERITED,$POLLUX_REPLACED,$POLLUX_ADDED"; env';
    const child = stage.script(script, { env });
    const [first, ...rest] = (await textOf(child.stdout)).split("\n");
    assertEquals(first, "old,new é,a=b c");
    const found = rest.filter((line) => line.startsWith("POLLUX_REPLACED="));
    assertEquals(found, ["POLLUX_REPLACED=new é"]);
    Deno.env.delete("POLLUX_INHERITED");
    Deno.env.delete("POLLUX_REPLACED");
  },
);

onLinux("spawn: clearEnv leaves the variables of env alone", async (stage) => {
  const options = {
    env: { ONE: "1" },
    clearEnv: true,
    stdout: "pipe",
  } as const;
  const child = stage.spawn("/usr/bin/env", options);
  assertEquals(await textOf(child.stdout), "ONE=1\n");
});

onLinux("spawn: a name is searched for in the PATH of env", async (stage) => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/pollux-program`;
  Deno.writeTextFileSync(path, "#!/bin/sh\necho found\n", { mode: 0o755 });
  const env = { PATH: `/nosuch:${directory}:/usr/bin:/bin` };
  const child = stage.spawn("pollux-program", { env, stdout: "pipe" });
  assertEquals(await textOf(child.stdout), "found\n");
  assertThrows(() => stage.spawn("pollux-program"), Deno.errors.NotFound);
  Deno.removeSync(directory, { recursive: true });
});

onLinux(
  "spawn: the working directory is a path or a file URL",
  async (stage) => {
    const directory = Deno.realPathSync(Deno.makeTempDirSync({ suffix: " é" }));
    for (const cwd of [directory, new URL(`file://${directory}`)]) {
      const child = stage.script("pwd", { cwd });
      assertEquals(await textOf(child.stdout), `${directory}\n`);
    }
    Deno.removeSync(directory);
  },
);

onLinux("spawn: the exit code is the program's", async (stage) => {
  const child = stage.script("exit 7");
  const seen: number[] = [];
  child.onExit = ({ code }) => seen.push(code);
  assertEquals(await child.status, { success: false, code: 7, signal: null });
  assertEquals(seen, [7]);
});

onLinux(
  "spawn: a killed child has the signal, and 128 more as its code",
  async (stage) => {
    const child = stage.spawn("sleep", { args: ["60"] });
    assertEquals(child.kill(), true);
    assertEquals(await child.status, {
      success: false,
      code: 143,
      signal: "SIGTERM",
    });
    assertEquals(child.closed, true);
    assertEquals(child.kill(), false);
  },
);

onLinux("spawn: without a program it throws NotFound", async (stage) => {
  const error = assertThrows(
    () => stage.spawn("pollux-nosuch"),
    Deno.errors.NotFound,
  );
  assertEquals(
    error.message,
    "No such file or directory (os error 2): posix_spawnp 'pollux-nosuch'",
  );
  assertThrows(() => stage.spawn("./pollux-nosuch"), Deno.errors.NotFound);
  assertThrows(() => stage.spawn(""), Deno.errors.NotFound);
  await Promise.resolve();
});

onLinux(
  "spawn: a file that is not executable, and a directory, throw PermissionDenied",
  async (stage) => {
    assertThrows(
      () => stage.spawn("/etc/passwd"),
      Deno.errors.PermissionDenied,
    );
    assertThrows(() => stage.spawn("/tmp"), Deno.errors.PermissionDenied);
    await Promise.resolve();
  },
);

onLinux("spawn: a script without its #! line is ENOEXEC", async (stage) => {
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, "echo here\n", { mode: 0o755 });
  Deno.chmodSync(path, 0o755);
  const error = assertThrows(() => stage.spawn(path), Error, path);
  assertEquals((error as { code?: string }).code, "ENOEXEC");
  Deno.removeSync(path);
  await Promise.resolve();
});

onLinux(
  "spawn: without the directory it throws NotFound that names it",
  async (stage) => {
    const error = assertThrows(
      () => stage.script("true", { cwd: "/nosuch" }),
      Deno.errors.NotFound,
      "chdir '/nosuch'",
    );
    assert("syscall" in error);
    assertThrows(
      () => stage.script("true", { cwd: "/etc/passwd" }),
      Deno.errors.NotADirectory,
    );
    await Promise.resolve();
  },
);

onLinux(
  "spawn: a failure leaves no child, and no descriptor of its pipes",
  async (stage) => {
    const before = children();
    const size = { rows: 24, columns: 80 };
    for (
      const options of [{ stdin: "pipe", stdout: "pipe", stderr: "pipe" }, {
        terminal: size,
      }] as const
    ) {
      assertThrows(
        () => stage.spawn("pollux-nosuch", options),
        Deno.errors.NotFound,
      );
    }
    assertEquals(children(), before);
    await Promise.resolve();
  },
);

onLinux(
  "spawn: mistakes of the caller throw before anything is opened",
  async (stage) => {
    const refused: [() => unknown, new () => Error, string][] = [
      [() => stage.spawn("a\0b"), TypeError, "NUL"],
      [() => stage.spawn("true", { args: "-l" as never }), TypeError, "-l"],
      [() => stage.spawn("true", { args: ["a\0b"] }), TypeError, "NUL"],
      [() => stage.spawn("true", { env: { "A=B": "" } }), TypeError, '"A=B"'],
      [() => stage.spawn("true", { env: { A: "\0" } }), TypeError, "NUL"],
      [
        () => stage.spawn("true", { arg: [] } as never),
        TypeError,
        'did you mean "args"',
      ],
      [
        () => stage.spawn("true", { stdout: "piped" as never }),
        TypeError,
        '"piped"',
      ],
      [() => stage.spawn("true", { stdout: -1 }), RangeError, "-1"],
      [
        () => stage.spawn("true", { terminal: { rows: 0, columns: 80 } }),
        RangeError,
        "0 × 80",
      ],
      [
        () =>
          stage.spawn("true", {
            terminal: { rows: 24, columns: 80 },
            stdin: "null",
            stdout: "null",
            stderr: "null",
          }),
        TypeError,
        "terminal",
      ],
      [
        () => stage.spawn("true", { cwd: new URL("http://host/") }),
        TypeError,
        "no file URL",
      ],
    ];
    for (const [call, kind, message] of refused) {
      assertThrows(
        call,
        kind,
        message,
      );
    }
    const child = stage.spawn("true");
    assertThrows(() => child.stdin, TypeError, "stdin");
    assertThrows(() => child.terminal, TypeError, "terminal");
    assertThrows(
      () => child.kill("SIGNOSUCH" as Deno.Signal),
      TypeError,
      "SIGNOSUCH",
    );
    await child.status;
  },
);

onLinux("spawn: a closed reactor refuses", async () => {
  const reactor = new Reactor();
  reactor.close();
  assertThrows(() => spawn(reactor, "true"), Deno.errors.BadResource);
  await Promise.resolve();
});

onLinux(
  "spawn: all three streams are pipes, with end of file",
  async (stage) => {
    const child = stage.script("cat; echo error >&2", {
      stdin: "pipe",
      stderr: "pipe",
    });
    const output = textOf(child.stdout);
    const errors = textOf(child.stderr);
    child.stdin.write("one ");
    child.stdin.end("two");
    assertEquals(await output, "one two");
    assertEquals(await errors, "error\n");
    assertEquals((await child.status).code, 0);
  },
);

onLinux("spawn: the ends of pipes block in the child alone", async (stage) => {
  // dd fails with EAGAIN at a non-blocking end.
  const child = stage.spawn("dd", {
    args: ["bs=1M", "count=8", "if=/dev/zero", "status=none"],
    stdout: "pipe",
  });
  let bytes = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.stdout.onData = (chunk): void => void (bytes += chunk.length);
  child.stdout.onClose = () => resolve();
  await promise;
  assertEquals(bytes, 8 * 1024 * 1024);
  assertEquals((await child.status).code, 0);
});

onLinux("spawn: a child waits while its output is not read", async (stage) => {
  const directory = Deno.makeTempDirSync();
  const script = `head -c 1000000 /dev/zero; : >${directory}/done`;
  const child = stage.script(script);
  const { promise, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  child.stdout.onClose = () => resolve();
  // Something to read shows that the child is writing.
  await stage.reactor.readable(dupOf(child.stdout.fd, (fd) => fds.push(fd)));
  assertEquals([...Deno.readDirSync(directory)], []);
  assertEquals(child.closed, false);
  child.stdout.onData = (chunk): void => void (bytes += chunk.length);
  await promise;
  await child.status;
  assertEquals(bytes, 1_000_000);
  for (const fd of fds.splice(0)) close(fd);
  Deno.removeSync(directory, { recursive: true });
});

const fds: number[] = [];

function dupOf(fd: number, keep: (fd: number) => void): number {
  const copy = dup(fd);
  keep(copy);
  return copy;
}

onLinux(
  "Child: standard input is closed when the child has ended",
  async (stage) => {
    const child = stage.spawn("true", { stdin: "pipe" });
    await child.status;
    assertEquals(child.stdin.closed, true);
    const unread = stage.spawn("sleep", { args: ["0.1"], stdin: "pipe" });
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    unread.stdin.onClose = resolve;
    unread.stdin.write(new Uint8Array(1_000_000));
    assertInstanceOf(await promise, Deno.errors.BrokenPipe);
    await unread.status;
  },
);

onLinux(
  "spawn: null has nothing to read, and takes any output",
  async (stage) => {
    const child = stage.script("cat; echo gone >&2; echo here", {
      stdin: "null",
      stderr: "null",
    });
    assertEquals(await textOf(child.stdout), "here\n");
  },
);

onLinux(
  "spawn: a descriptor becomes a standard stream, and stays open here",
  async (stage) => {
    const [reader, writer] = pipe();
    const child = stage.script("echo both; echo error >&2", {
      stdout: writer,
      stderr: { fd: writer },
    });
    await child.status;
    const buffer = new Uint8Array(64);
    assertEquals(
      new TextDecoder().decode(buffer.subarray(0, read(reader, buffer))),
      "both\nerror\n",
    );
    close(writer);
    assertEquals(read(reader, buffer), 0); // no other writer
    close(reader);
  },
);

onLinux(
  "spawn: the child gets its standard streams, and no other descriptor",
  async (stage) => {
    const [reader, writer] = pipe();
    const inherited = inheritedDescriptors();
    const child = stage.spawn("ls", {
      args: ["/proc/self/fd"],
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const output = (await textOf(child.stdout)).trim().split("\n");
    // ls has one for the directory.
    assertEquals(output.filter((fd) => !inherited.has(fd)), [
      "0",
      "1",
      "2",
      "3",
    ]);
    close(reader);
    close(writer);
    child.close();
    await child.status;
  },
);

onLinux(
  "spawn: a descriptor that is not close-on-exec is no descriptor of the child",
  async (stage) => {
    // Other C libraries cannot close it.
    const call = "posix_spawn_file_actions_addclosefrom_np";
    if (processCalls[call] === null) return;
    const [reader, writer] = pipe();
    const { F_SETFD } = system().constants;
    assertEquals(fcntl(writer, F_SETFD, 0), 0);
    const script = "cat; ls /proc/self/fd";
    const child = stage.script(script, { stdin: "pipe", stderr: "null" });
    child.stdin.end();
    // ls has one for the directory.
    assertEquals(await textOf(child.stdout), "0\n1\n2\n3\n");
    close(writer);
    close(reader);
    await child.status;
  },
);

/** Descriptors above 2 that this process itself got, and passes on. */
function inheritedDescriptors(): Set<string> {
  const names = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name);
  return new Set(names.filter((name) => {
    try {
      const flags = Deno.readTextFileSync(`/proc/self/fdinfo/${name}`)
        .match(/flags:\s+(\d+)/)![1]!;
      return Number(name) > 2 && (parseInt(flags, 8) & 0o2000000) === 0;
    } catch {
      return false;
    }
  }));
}

onLinux(
  "spawn: signals have their default action in the child",
  async (stage) => {
    // Deno ignores SIGPIPE: with that, yes would fail with an error message.
    const child = stage.spawn("bash", {
      args: ["-c", "yes | head -n1; echo ${PIPESTATUS[0]}"],
      stdout: "pipe",
      stderr: "pipe",
    });
    const errors = textOf(child.stderr);
    assertEquals(await textOf(child.stdout), "y\n141\n");
    assertEquals(await errors, "");
  },
);

onLinux(
  "spawn: fifty children at once end each with its own code",
  async (stage) => {
    const all = Array.from(
      { length: 50 },
      (_, code) => stage.script(`sleep 0.1; exit ${code}`, { stdout: "null" }),
    );
    assertEquals(
      new Set(all.map(({ pid }) => pid)).size,
      50,
    );
    const statuses = await Promise.all(all.map((child) => child.status));
    assertEquals(statuses.map(({ code }) => code), [...all.keys()]);
  },
);

onLinux("spawn: no zombie stays", async (stage) => {
  const before = children();
  const child = stage.spawn("true");
  await child.status;
  assertEquals(children(), before);
});

onLinux("Child: run() returns when the child has ended", async () => {
  using reactor = new Reactor();
  const seen: unknown[] = [];
  const child = spawn(reactor, "sh", {
    args: ["-c", "echo hi; exit 3"],
    stdout: "pipe",
  });
  child.stdout.onData = (chunk) => seen.push(new TextDecoder().decode(chunk));
  child.onExit = (status) => seen.push(status.code);
  reactor.run();
  assertEquals(seen.toSorted(), [3, "hi\n"]);
  await Promise.resolve();
});

onLinux("Child: unref() lets run() return", async () => {
  using reactor = new Reactor();
  const child = spawn(reactor, "sleep", { args: ["60"] });
  child.unref();
  reactor.run();
  assertEquals(child.closed, false);
  await Promise.resolve();
});

onLinux(
  "Child: status rejects with NotSupported if nothing runs the reactor",
  async () => {
    using reactor = new Reactor();
    const child = spawn(reactor, "sleep", { args: ["60"] });
    await assertRejects(
      () => child.status,
      Deno.errors.NotSupported,
      "serve()",
    );
  },
);

onLinux(
  "Child: closing the reactor kills it, and leaves no zombie",
  async (stage) => {
    const before = children();
    const child = stage.spawn("sleep", { args: ["60"] });
    const status = child.status;
    stage.reactor.close();
    assertEquals((await status).signal, "SIGKILL");
    assertEquals(children(), before);
  },
);

onLinux("Child: the end of an await using scope kills it", async (stage) => {
  let status;
  {
    await using child = stage.script("sleep 60", { stdin: "pipe" });
    status = child.status;
  }
  assertEquals((await status).signal, "SIGKILL");
});

onLinux("Child: an error in onExit is reported", async () => {
  const reported: unknown[] = [];
  const onError = (error: unknown): void => void reported.push(error);
  await using reactor = new Reactor({ onError });
  reactor.serve();
  const child = spawn(reactor, "true");
  const error = new Error("mine");
  child.onExit = (): void => {
    throw error;
  };
  await child.status;
  await eventually(() => reported.length > 0, "the report");
  assertEquals(reported, [error]);
});

onLinux("watchProcess: the process need not be a child", async (stage) => {
  const script = stage.script("sleep 60 >&- & echo $!; exec >&-; wait $!", {
    stderr: "null",
  });
  const pid = Number(await textOf(script.stdout));
  const end = watchProcess(stage.reactor, pid);
  Deno.kill(pid, "SIGKILL");
  await end;
  assertEquals((await script.status).code, 137);
});

onLinux("watchProcess: it waits for the end of a process", async (stage) => {
  const child = stage.spawn("sleep", { args: ["60"] });
  const end = watchProcess(stage.reactor, child.pid);
  child.kill("SIGKILL");
  await end;
  await child.status;
});

onLinux("watchProcess: without a process it throws ESRCH", async (stage) => {
  const child = stage.spawn("true");
  await child.status;
  const error = await assertRejects(
    () => watchProcess(stage.reactor, child.pid),
    Error,
    `pidfd_open ${child.pid}`,
  );
  assertEquals((error as { code?: string }).code, "ESRCH");
  await assertRejects(() => watchProcess(stage.reactor, 0), RangeError);
});

onLinux("watchProcess: a signal cancels it", async (stage) => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  const error = await assertRejects(
    () => watchProcess(stage.reactor, Deno.pid, { signal }),
    Error,
  );
  assertEquals(error, reason);
});

onLinux(
  "spawn: too few descriptors are EMFILE, and leave none open",
  async (stage) => {
    const program = new URL("shortage_program.ts", import.meta.url).pathname;
    const command = `ulimit -n 80; exec "$0" run -A --no-check ${program}`;
    const child = stage.spawn("sh", {
      args: ["-c", command, denoProgram()],
      // Deno would open this file after a while, and warn if it cannot.
      env: { NODE_EXTRA_CA_CERTS: "" },
      stdout: "pipe",
    });
    const { results, left } = JSON.parse(await textOf(child.stdout));
    assertEquals(left, 0);
    assertEquals(new Set(results), new Set(["EMFILE", "ok"]));
    assertEquals(results, results.toSorted()); // "E" is before "o"
  },
);

onLinux("spawn: two standard streams can change places", async () => {
  const { stdout, stderr } = await runDeno(
    `
    import { spawn } from "POLLUX/adapters/process/mod.ts";
    import { Reactor } from "POLLUX/reactor/mod.ts";
    const args = ["-c", "echo output; echo error >&2"];
    using reactor = new Reactor();
    spawn(reactor, "sh", { args, stdout: 2, stderr: 1 });
    reactor.run();
    `,
    ["-A"],
  );
  assertEquals([stdout, stderr], ["error\n", "output\n"]);
});

for (const name of ["epoll", "poll", "select"] as const) {
  onLinux(`spawn: it works on ${name}`, async () => {
    using reactor = new Reactor({ selector: createSelector(name) });
    const size = { rows: 24, columns: 80 };
    const child = spawn(reactor, "echo", { args: ["hi"], terminal: size });
    let text = "";
    let code = -1;
    child.terminal.onData = (chunk): void => {
      text += new TextDecoder().decode(chunk);
    };
    child.onExit = (status): void => void (code = status.code);
    reactor.run();
    assertEquals([text, code], ["hi\r\n", 0]);
    await Promise.resolve();
  });
}

onLinux(
  "spawn: streams are Web Streams, and async iterables",
  async (stage) => {
    const first = stage.script("echo one");
    assertEquals(await new Response(first.stdout.readable).text(), "one\n");
    const second = stage.script("echo two");
    for await (const chunk of second.stdout) {
      assertEquals(new TextDecoder().decode(chunk), "two\n");
    }
  },
);

test("spawn: the narrow permission is enough", async () => {
  if (Deno.build.os !== "linux" || emulated) return;
  const { stdout, stderr } = await runDeno(
    `
    import { spawn } from "POLLUX/adapters/process/mod.ts";
    import { Reactor } from "POLLUX/reactor/mod.ts";
    const reactor = new Reactor();
    const child = spawn(reactor, "sh", {
      args: ["-c", "tty; echo $ONE; exit 5"],
      env: { ONE: "1" },
      terminal: { rows: 24, columns: 80 },
    });
    let text = "";
    child.terminal.onData = (chunk) => text += new TextDecoder().decode(chunk);
    let exit;
    child.onExit = ({ code }) => exit = code;
    reactor.run();
    text += exit;
    console.log(text.replaceAll("\\r", "").replace(/pts.[0-9]+/, "pts/N"));
    `,
    [ffiPermissionFlag()],
  );
  assertEquals(stderr, "");
  assertEquals(stdout, "/dev/pts/N\n1\n5\n");
});
