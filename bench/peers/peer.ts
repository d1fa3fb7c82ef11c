/**
 * What can be measured: a server that is a program of its own.
 *
 * @module
 */

/**
 * What a server does: send back what a connection sends, or a datagram; or
 * pass it on to every other connection.
 */
export type Mode = "echo" | "datagram" | "fan-out";

/** Servers and scenarios that are only for each other, and have tables of their own. */
export type Group = "as Deno has it";

/** A server, and how it is started. */
export interface Peer {
  readonly name: string;
  /** The servers that it is measured beside: all those without a group, if left out. */
  readonly group?: Group;
  /** The name of the server that its ratios are of, in a group. */
  readonly unit?: string;
  /** What it can do. */
  readonly modes: readonly Mode[];

  /** Makes ready what it needs; true, or in a few words why it cannot run here. */
  available(): Promise<true | string>;

  /** Gets it from its registry, where that can be done without asking the system. */
  install?(): Promise<void>;

  /** What it says to `--version`, where that is another program's than ours. */
  version?(): Promise<string>;

  /** Starts it on a port of 127.0.0.1. */
  command(mode: Mode, port: number): string[];
}

/** The path of a program beside this file. */
export function program(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** The path of a command, or null if the system has none of that name. */
export async function which(command: string): Promise<string | null> {
  const path = await firstLine("sh", "-c", `command -v ${command}`);
  return path === "" ? null : path;
}

/** The first line that a command prints, "" if it fails: `--version`, most often. */
export async function firstLine(
  command: string,
  ...args: string[]
): Promise<string> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args,
      stderr: "null",
    }).output();
    return success
      ? new TextDecoder().decode(stdout).trim().split("\n")[0]!
      : "";
  } catch {
    return "";
  }
}
