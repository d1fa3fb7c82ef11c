// Runs a shell, or another program, in a terminal of its own, and shows that terminal in
// this one. It is the core of a terminal emulator, of `ssh` and of `script`: replace the
// two streams by a connection, and the shell is remote.
//
//     deno run --allow-ffi examples/terminal.ts [COMMAND [ARGUMENT…]]
//
// Job control, Ctrl-C and the size of the window work as usual. It ends with the program,
// and with its exit code. This terminal is then as it was.

import { spawn } from "../adapters/process/mod.ts";
import { Reactor, type Stream } from "../mod.ts";
import { main, refuse, report } from "./command_line.ts";

/** The shell of the user. */
const SHELL = ["sh", "-c", 'exec "${SHELL:-sh}"'];

/** How long output may take after the end of the program, in milliseconds. */
const LAST_OUTPUT = 200;

/** Writes input to output, which pauses input while it is full. */
function connect(from: Stream, to: Stream): void {
  from.onData = (chunk): void => {
    if (!to.write(chunk)) from.pause();
  };
  to.onDrain = () => from.resume();
}

/** Runs a program, and returns its exit code. */
function run(reactor: Reactor, command: string, args: string[]): number {
  const child = spawn(reactor, command, { args, terminal: Deno.consoleSize() });
  const { terminal } = child;
  const screen = reactor.open(1);
  const keyboard = reactor.open(0, { raw: true });
  connect(keyboard, terminal);
  connect(terminal, screen);

  reactor.onSignal("SIGWINCH", () => {
    const { rows, columns } = Deno.consoleSize();
    if (!terminal.closed) terminal.resize(rows, columns);
  });
  // Without these the terminal would stay raw.
  for (const signal of ["SIGHUP", "SIGTERM"] as const) {
    reactor.onSignal(signal, () => child.close());
  }

  let code = 1;
  child.onExit = (status): void => {
    code = status.code;
    // Jobs in the background may keep the terminal open.
    terminal.setReadTimeout(LAST_OUTPUT);
  };
  terminal.onClose = () => screen.close();
  // After the last output, because it makes this terminal as it was.
  screen.onClose = () => keyboard.close();
  reactor.run();
  return code;
}

await main(() => {
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
    refuse("Standard input and output must be a terminal");
  }
  const [command, ...args] = Deno.args.length > 0 ? Deno.args : SHELL;
  const reactor = new Reactor({ onError: report });
  const code = run(reactor, command!, args);
  reactor.close();
  Deno.exit(code);
});
