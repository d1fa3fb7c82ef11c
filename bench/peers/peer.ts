/**
 * A server that can be measured: a program of its own.
 *
 * @module
 */

/**
 * The work of a server: it sends data back, or datagrams, or sends data to all other
 * connections.
 */
export type Mode = "echo" | "datagram" | "fan-out";

/** Servers with scenarios and tables of their own. */
export type Group = "as Deno has it" | "datagrams";

/** A server, and how to start it. */
export interface Peer {
  readonly name: string;
  /** The group of servers to compare with. Default: all servers without a group. */
  readonly group?: Group;
  /** The name of the server to which its ratios refer. Default: itself. */
  readonly unit?: string;
  /** The kinds of work that it can do. */
  readonly modes: readonly Mode[];

  /** Prepares the server. Returns true, or a few words that say why it cannot run here. */
  available(): Promise<true | string>;

  /** Installs it from its registry, if this needs no root. */
  install?(): Promise<void>;

  /** Its version, unless it is a program of this repository in Deno. */
  version?(): Promise<string>;

  /** The command that starts it on a port of 127.0.0.1. */
  command(mode: Mode, port: number): string[];
}

/** The same server a second time, as a control: the difference is the noise. */
export function again(peer: Peer): Peer {
  return { ...peer, name: `${peer.name}, again` };
}

/** Whether a server is a control. */
export function isControl({ name }: Pick<Peer, "name">): boolean {
  return name.endsWith(", again");
}

/** The path of a program in this folder. */
export function program(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** The directory of installed and compiled programs that later runs use again. */
export function userCache(): string {
  const root = Deno.env.get("XDG_CACHE_HOME") ??
    `${Deno.env.get("HOME")}/.cache`;
  return `${root}/pollux-bench`;
}

/** The path of a command, or null if it is not installed. */
export async function which(command: string): Promise<string | null> {
  const path = await firstLine("sh", "-c", `command -v ${command}`);
  return path === "" ? null : path;
}

/** The first line that a command prints, such as its version; "" if it fails. */
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
