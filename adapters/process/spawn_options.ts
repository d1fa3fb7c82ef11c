/**
 * The options of `spawn()`, checked before anything is opened.
 *
 * @module
 */

import { cString } from "../../backends/ffi/calls.ts";
import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { environment } from "./environment.ts";
import {
  checkStdio,
  type ChildStdio,
  type StandardStreams,
} from "./standard_streams.ts";
import type { CString } from "./c_vectors.ts";
import { checkSize, type TerminalSize } from "./terminal.ts";

/** Options of `spawn()`. */
export interface SpawnOptions {
  /** The arguments after the name of the program. Default: none. */
  readonly args?: readonly string[];
  /** Variables in addition to those of this process, or instead of them. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the child gets the variables of `env` alone. Default: false. */
  readonly clearEnv?: boolean;
  /** The working directory: a path, or a file URL. Default: that of this process. */
  readonly cwd?: string | URL;
  /**
   * The size of a new terminal, in which the child leads a session of its own. TERM is
   * "xterm-256color" unless a variable says otherwise. At least one of its three
   * streams has to be the terminal. Default: no terminal.
   */
  readonly terminal?: TerminalSize;
  /** Standard input. Default: the terminal, or "inherit" without one. */
  readonly stdin?: ChildStdio;
  /** Standard output. Default: as `stdin`. */
  readonly stdout?: ChildStdio;
  /** Standard error. Default: as `stdin`. */
  readonly stderr?: ChildStdio;
}

const SPAWN_OPTIONS: OptionNames<SpawnOptions> = {
  args: true,
  env: true,
  clearEnv: true,
  cwd: true,
  terminal: true,
  stdin: true,
  stdout: true,
  stderr: true,
};

/** The options with all defaults, as C has them. */
export interface SpawnRequest {
  readonly command: string;
  readonly argv: readonly CString[];
  readonly envp: readonly CString[];
  /** Directories to search for the command; null for those of this process. */
  readonly path: string | null;
  readonly cwd: string | null;
  readonly terminal: TerminalSize | null;
  readonly streams: StandardStreams;
}

/**
 * Checks the options and adds the defaults.
 *
 * @throws as `spawn`, for the mistakes of the caller
 */
export function requestOf(
  command: string,
  options: SpawnOptions,
): SpawnRequest {
  checkOptions(options, SPAWN_OPTIONS);
  const { args = [], env = {}, clearEnv = false, cwd, terminal = null } =
    options;
  checkArguments(args);
  if (terminal !== null) checkSize(terminal);
  const usual = terminal === null ? "inherit" as const : "terminal" as const;
  const { stdin = usual, stdout = usual, stderr = usual } = options;
  const streams = { stdin, stdout, stderr };
  for (const [name, choice] of Object.entries(streams)) {
    checkStdio(name, choice);
  }
  if (terminal !== null && !Object.values(streams).includes("terminal")) {
    throw new TypeError(
      "Cannot redirect all streams of a child with a terminal",
    );
  }
  return {
    command,
    argv: [command, ...args].map(cString),
    envp: environment({ env, clearEnv, needsTerm: terminal !== null }),
    path: command.includes("/") ? null : env.PATH ?? null,
    cwd: cwd === undefined ? null : pathOf(cwd),
    terminal,
    streams: Object.values(streams),
  };
}

/** A text would be spread: each of its letters would be an argument. */
function checkArguments(args: unknown): void {
  if (Array.isArray(args)) return;
  throw new TypeError(`Cannot use ${Deno.inspect(args)} as args: not an array`);
}

function pathOf(cwd: string | URL): string {
  if (typeof cwd === "string") return cwd;
  if (cwd.protocol === "file:") return decodeURIComponent(cwd.pathname);
  throw new TypeError(`Cannot use ${cwd} as a directory: it is no file URL`);
}
