/**
 * Programs in a terminal of their own, as a shell user knows them.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { isOpen } from "../../../backends/ffi/descriptor.ts";
import { eventually } from "../../util.ts";
import { onLinux, Shell } from "./stage.ts";

onLinux(
  "Terminal: a shell exits with its code, and then the stream ends",
  async (stage) => {
    const shell = stage.shell();
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    shell.child.terminal.onClose = resolve;
    shell.type("exit 7\n");
    assertEquals((await shell.child.status).code, 7);
    assertEquals(await promise, undefined);
  },
);

onLinux(
  "Terminal: it is the controlling terminal of a session of its own",
  async (stage) => {
    const shell = stage.shell();
    await shell.run("exec 2>/dev/null; : >/dev/tty && echo c''trl", "ctrl");
    await shell.run('test $(ps -o sid= -p $$) = $$ && echo lea""der', "leader");
    shell.child.close();
    await shell.child.status;
  },
);

onLinux(
  "Terminal: the child has the size, and sees it change",
  async (stage) => {
    const shell = stage.shell({ rows: 33, columns: 101 });
    assertEquals(shell.child.terminal.size, { rows: 33, columns: 101 });
    await shell.run("stty size", "33 101");
    await shell.run("trap 'echo WIN''CH' WINCH; echo re''ady", "ready");
    shell.child.terminal.resize(20, 60);
    await shell.run("", "WINCH");
    await shell.run("stty size", "20 60");
    shell.type("stty rows 5\n");
    await eventually(
      () => shell.child.terminal.size.rows === 5,
      "the child's own size",
    );
    shell.child.close();
    await shell.child.status;
  },
);

onLinux(
  "Terminal: a size out of range throws, and changes nothing",
  async (stage) => {
    const shell = stage.shell();
    for (
      const [rows, columns] of [[0, 80], [24, 65536], [1.5, 80], [
        24,
        NaN,
      ]] as const
    ) {
      assertThrows(
        () => shell.child.terminal.resize(rows, columns),
        RangeError,
      );
    }
    assertEquals(shell.child.terminal.size, { rows: 24, columns: 80 });
    shell.child.close();
    await shell.child.status;
    assertThrows(() => shell.child.terminal.size, RangeError);
    assertThrows(() => shell.child.terminal.resize(24, 80), RangeError);
  },
);

onLinux(
  "Terminal: Ctrl-C ends the foreground job with 130, and the shell goes on",
  async (stage) => {
    const shell = stage.shell();
    // The program itself prints: the shell's own echo would come before the job.
    await shell.run("sh -c 'echo st\"\"art; exec sleep 60'", "start");
    shell.type("\x03");
    await shell.run("echo code=$?", "code=130");
    shell.type("exit 0\n");
    assertEquals((await shell.child.status).code, 0);
  },
);

onLinux(
  "Terminal: Ctrl-Z stops a job, and fg goes on with it",
  async (stage) => {
    const shell = stage.shell();
    await shell.run("(echo st''art; read line; echo got:$line)", "start");
    shell.type("\x1a");
    await shell.shows("Stopped");
    shell.output = "";
    await shell.run("jobs", "Stopped");
    await shell.run("fg", "read line");
    await shell.run("text", "got:text");
    shell.type("\x04"); // end of input
    await shell.child.status;
  },
);

onLinux(
  "Terminal: a background job outlives the prompt, and its end is reported",
  async (stage) => {
    const shell = stage.shell();
    await shell.run("sleep 60 & echo af''ter", "after");
    await shell.run("kill %1; wait", "Terminated");
    shell.type("exit\n");
    await shell.child.status;
  },
);

onLinux("Terminal: close() hangs up, which ends the session", async (stage) => {
  const child = stage.spawn("sleep", {
    args: ["60"],
    terminal: { rows: 24, columns: 80 },
  });
  child.terminal.close();
  assertEquals((await child.status).signal, "SIGHUP");
});

onLinux(
  "Terminal: backspace erases a whole character of UTF-8",
  async (stage) => {
    const child = stage.spawn("sh", {
      args: ["-c", "read line; echo [$line]"],
      terminal: { rows: 24, columns: 80 },
    });
    const shell = new Shell(child);
    await shell.run("aé\x7fb", "[ab]");
    await child.status;
  },
);

onLinux(
  "Terminal: a megabyte of output comes in order, however it is paused",
  async (stage) => {
    const child = stage.spawn("seq", {
      args: ["200000"],
      terminal: { rows: 24, columns: 80 },
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    const decoder = new TextDecoder();
    const { terminal } = child;
    let text = "";
    let chunks = 0;
    terminal.onData = (chunk): void => {
      text += decoder.decode(chunk);
      if (++chunks % 10 !== 0) return;
      terminal.pause();
      stage.reactor.callLater(1, () => terminal.resume());
    };
    terminal.onClose = () => resolve();
    await promise;
    const lines = text.split("\r\n");
    assertEquals(lines.length, 200_001);
    assertEquals(
      lines.every((line, index) =>
        line === `${index + 1}` || index === 200_000
      ),
      true,
    );
    assertEquals((await child.status).code, 0);
  },
);

onLinux(
  "Terminal: more input than its buffer takes waits in the queue",
  async (stage) => {
    const child = stage.spawn("sh", {
      args: [
        "-c",
        "stty raw -echo; echo ready; sleep 0.2; head -c 5000000 | wc -c",
      ],
      terminal: { rows: 24, columns: 80 },
    });
    const shell = new Shell(child);
    await shell.shows("ready");
    assertEquals(child.terminal.write(new Uint8Array(5_000_000)), false);
    await shell.shows("5000000");
    assertEquals((await child.status).code, 0);
  },
);

onLinux(
  "Terminal: a redirected stream is a pipe, and the terminal still the controlling one",
  async (stage) => {
    const child = stage.spawn("sh", {
      args: ["-c", "cat; echo secret >/dev/tty; test -t 0 || exit 4"],
      terminal: { rows: 24, columns: 80 },
      stdin: "pipe",
      stdout: "pipe",
    });
    const shell = new Shell(child);
    let output = "";
    child.stdout.onData = (chunk): void =>
      void (output += new TextDecoder().decode(chunk));
    child.stdin.end("piped");
    await shell.shows("secret");
    assertEquals((await child.status).code, 4);
    await eventually(() => output === "piped", "the output");
  },
);

onLinux("Terminal: TERM is set, and may be another", async (stage) => {
  const term = Deno.env.get("TERM");
  Deno.env.delete("TERM");
  for (
    const [env, wanted] of [[{}, "xterm-256color"], [
      { TERM: "vt100" },
      "vt100",
    ]] as const
  ) {
    const child = stage.spawn("sh", {
      args: ["-c", "echo =$TERM="],
      env,
      terminal: { rows: 24, columns: 80 },
    });
    await new Shell(child).shows(`=${wanted}=`);
    await child.status;
  }
  if (term !== undefined) Deno.env.set("TERM", term);
});

onLinux("Terminal: closing the reactor closes it", async (stage) => {
  const shell = stage.shell();
  await shell.shows("$ ");
  const { status, terminal } = shell.child;
  const { fd } = terminal;
  stage.reactor.close();
  assertEquals(isOpen(fd), false);
  assertEquals((await status).success, false);
});

onLinux("Terminal: twenty at once have each their own", async (stage) => {
  const shells = Array.from({ length: 20 }, () => stage.shell());
  await Promise.all(
    shells.map((shell, index) =>
      shell.run(`echo n''=$((${index} + 100))`, `n=${index + 100}`)
    ),
  );
  for (const shell of shells) shell.type("exit 1\n");
  const statuses = await Promise.all(shells.map(({ child }) => child.status));
  assertEquals(statuses.every(({ code }) => code === 1), true);
});

onLinux(
  "Child: close() does not wait for a terminal that is full",
  async (stage) => {
    const child = stage.spawn("sh", {
      args: ["-c", "stty raw -echo; echo ready; sleep 60 & kill -STOP $$"],
      terminal: { rows: 24, columns: 80 },
    });
    const shell = new Shell(child);
    await shell.shows("ready");
    child.terminal.write(new Uint8Array(1_000_000));
    assertEquals(child.terminal.bufferedAmount > 0, true);
    child.close();
    assertEquals(child.terminal.closed, true);
    assertEquals((await child.status).signal, "SIGKILL");
  },
);
