/**
 * Child processes and terminals: a program in a terminal of its own, pipes with
 * backpressure, the end of any process. Children are created by posix_spawn(3), and
 * their ends are events of the reactor: there is no thread and no SIGCHLD.
 *
 * The permission of the C library is enough. It lets a program start others, whatever
 * `--allow-run` says.
 *
 * @module
 */

export { Child, type ChildStatus } from "./child.ts";
export { spawn } from "./spawn.ts";
export type { SpawnOptions } from "./spawn_options.ts";
export type { ChildStdio } from "./standard_streams.ts";
export { Terminal, type TerminalSize } from "./terminal.ts";
export { watchProcess, type WatchProcessOptions } from "./watch_process.ts";
