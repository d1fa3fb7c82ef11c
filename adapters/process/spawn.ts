/**
 * Starts programs by posix_spawn(3). The C library creates the child and waits for its
 * exec, so one result reports an error of both.
 *
 * A fork would copy this process, whose other threads hold locks at that moment, and
 * JavaScript cannot run in the copy.
 *
 * @module
 */

import { cString } from "../../backends/ffi/calls.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { close, retrying } from "../../backends/ffi/descriptor.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import { open } from "../../backends/ffi/libc.ts";
import { processCalls } from "../../backends/ffi/process_calls.ts";
import { loopOf, type Reactor } from "../../reactor/reactor.ts";
import type { Stream } from "../../reactor/stream.ts";
import { cVectors } from "./c_vectors.ts";
import { Child, reap, reapOthers } from "./child.ts";
import { FileActions, SpawnAttributes } from "./file_actions.ts";
import { required } from "./numbers.ts";
import { openProcess } from "./process_descriptor.ts";
import {
  requestOf,
  type SpawnOptions,
  type SpawnRequest,
} from "./spawn_options.ts";
import { addStandardStreams } from "./standard_streams.ts";
import { openTerminal, Terminal } from "./terminal.ts";

/** The streams of this process to a child. */
interface OwnEnds {
  readonly terminal: Terminal | null;
  readonly streams: readonly (Stream | null)[];
}

/**
 * Starts a program, without a thread and without fork.
 *
 * The child begins with default signals, and gets no descriptor of this process except
 * its three standard streams. With glibc before 2.34, musl and macOS it also gets those
 * that are not close-on-exec. A program with a terminal leads a session there, as in a
 * terminal window: job control, Ctrl-C and the window's size work.
 *
 * @param reactor The reactor that watches the child
 * @param command A path, or a name that is searched for in PATH: that of `env`, or that
 *   of this process
 * @returns the child, which runs
 * @throws {TypeError} if an option is unknown, a string has a NUL, or a descriptor or the
 *   name of a variable is malformed
 * @throws {RangeError} if the size of the terminal is out of range
 * @throws {Deno.errors.BadResource} if the reactor is closed
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`; `--allow-run` is not asked for
 * @throws {SystemError} `Deno.errors.NotFound` without the program or the directory,
 *   `Deno.errors.PermissionDenied` if it is not executable, `ENOEXEC` for a script
 *   without a `#!` line, `EMFILE`, and others. The program did not run
 * @throws {Deno.errors.NotSupported} if the system lacks a function for an option, or
 *   pidfd (before Linux 5.3) and kqueue
 *
 * @example The output of a program
 * ```ts
 * import { spawn } from "@pollux/reactor/process";
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * using reactor = new Reactor();
 * const child = spawn(reactor, "echo", { args: ["hello"], stdout: "pipe" });
 * child.stdout.onData = (chunk) => {
 *   assertEquals(new TextDecoder().decode(chunk), "hello\n");
 * };
 * child.onExit = ({ code }) => assertEquals(code, 0);
 * reactor.run(); // returns when the child and its output have ended
 * ```
 *
 * @example A shell in a terminal
 * ```ts
 * import { spawn } from "@pollux/reactor/process";
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * const shell = spawn(reactor, "sh", { terminal: { rows: 24, columns: 80 } });
 * shell.terminal.onData = (chunk) => chunk; // show it
 * shell.terminal.write("exit 7\n"); // type it
 * assertEquals((await shell.status).code, 7);
 * ```
 */
export function spawn(
  reactor: Reactor,
  command: string,
  options: SpawnOptions = {},
): Child {
  const request = requestOf(command, options);
  const loop = loopOf(reactor);
  loop.checkOpen();
  reapOthers();
  using childEnds = new DisposableStack();
  using ownEnds = new DisposableStack();
  // Its own process has a descriptor as well: a rehearsal before anything runs.
  const rehearsal = childEnds.use(openProcess(Deno.pid));
  const actions = childEnds.use(new FileActions());
  const ends = addStreams(reactor, request, actions, childEnds, ownEnds);
  const pid = start(request, actions);
  rehearsal.close();
  try {
    const descriptor = openProcess(pid);
    ownEnds.use(descriptor);
    const child = new Child(loop, { pid, descriptor, ...ends });
    ownEnds.move();
    return child;
  } catch (error) {
    processCalls.kill(pid, SIGKILL);
    reap(pid, 0);
    throw error;
  }
}

/** SIGKILL of <signal.h>, the same on every system. */
const SIGKILL = 9;

/** Adds the actions for the terminal, the streams and the directory. */
function addStreams(
  reactor: Reactor,
  { terminal: size, cwd, streams }: SpawnRequest,
  actions: FileActions,
  childEnds: DisposableStack,
  ownEnds: DisposableStack,
): OwnEnds {
  if (cwd !== null) {
    actions.changeDirectory(childEnds.adopt(openDirectory(cwd), close));
  }
  let terminal: Terminal | null = null;
  let path: string | null = null;
  if (size !== null) {
    const pair = childEnds.use(openTerminal(size));
    path = pair.path;
    terminal = terminalOn(reactor, pair.fd);
    ownEnds.defer(() => terminal!.abort());
  }
  return {
    terminal,
    streams: addStandardStreams(
      reactor,
      actions,
      streams,
      path,
      childEnds,
      ownEnds,
    ),
  };
}

function terminalOn(reactor: Reactor, fd: number): Terminal {
  try {
    return new Terminal(reactor, fd);
  } catch (error) {
    close(fd);
    throw error;
  }
}

function openDirectory(path: string): number {
  const { O_PATH, O_DIRECTORY, O_CLOEXEC } = system().constants;
  const flags = (O_PATH ?? 0) | O_DIRECTORY | O_CLOEXEC;
  const name = cString(path);
  return retrying("chdir", () => open(name, flags), `'${path}'`);
}

/** Starts the program, and returns the number of its process. */
function start(request: SpawnRequest, actions: FileActions): number {
  const { command, path } = request;
  using attributes = new SpawnAttributes(request.terminal !== null);
  const { memory, addresses } = cVectors(request.argv, request.envp);
  const pid = new Int32Array(new ArrayBuffer(4));
  const call = path === null ? "posix_spawnp" : "posix_spawn";
  const spawns = required(processCalls[call], call);
  const errno = firstThatStarts(command, path, (file) =>
    spawns(
      pid,
      cString(file),
      actions.bytes,
      attributes.bytes,
      memory,
      addresses[1]!,
    ));
  if (errno === 0) return pid[0]!;
  throw systemError(call, Math.abs(errno), `'${command}'`);
}

/**
 * Tries the files that a command can be, as execvp(3) does.
 *
 * @param path Directories, separated by ":"; null to leave the search to the library
 * @returns 0, or the error number
 */
function firstThatStarts(
  command: string,
  path: string | null,
  starts: (file: string) => number,
): number {
  if (path === null) return starts(command);
  const { EACCES, ENOENT, ENOTDIR } = system().errno;
  let result = ENOENT!;
  for (const directory of path.split(":")) {
    const errno = starts(
      directory === "" ? `./${command}` : `${directory}/${command}`,
    );
    if (errno === EACCES) result = errno;
    else if (errno !== ENOENT && errno !== ENOTDIR) return errno;
  }
  return result;
}
