/**
 * A reactor that serves, and the output of its children.
 */

import { fail } from "@std/assert";
import { Reactor } from "../../../reactor/mod.ts";
import type { Stream } from "../../../reactor/mod.ts";
import {
  type Child,
  spawn,
  type SpawnOptions,
  type TerminalSize,
} from "../../../adapters/process/mod.ts";
import { eventually, test } from "../../util.ts";

const linux = Deno.build.os === "linux";

/** A serving reactor, and its children. */
export class Stage implements AsyncDisposable {
  readonly reactor = new Reactor();

  constructor() {
    this.reactor.serve();
  }

  /** Starts a program. */
  spawn(command: string, options: SpawnOptions = {}): Child {
    return spawn(this.reactor, command, options);
  }

  /** Starts a shell script whose output is a pipe. */
  script(text: string, options: SpawnOptions = {}): Child {
    return this.spawn("sh", { args: ["-c", text], stdout: "pipe", ...options });
  }

  /** Starts bash in a terminal. */
  shell(size: TerminalSize = { rows: 24, columns: 80 }): Shell {
    const args = ["--norc", "--noediting", "-i"];
    const env = { PS1: "$ ", HISTFILE: "" };
    return new Shell(this.spawn("bash", { args, env, terminal: size }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reactor[Symbol.asyncDispose]();
  }
}

/** A shell in a terminal, and its output up to now. */
export class Shell {
  output = "";
  readonly child: Child;

  constructor(child: Child) {
    this.child = child;
    const decoder = new TextDecoder();
    child.terminal.onData = (chunk) => {
      this.output += decoder.decode(chunk, { stream: true });
    };
  }

  /** Types text. */
  type(text: string): void {
    this.child.terminal.write(text);
  }

  /** Waits for output. */
  async shows(text: string): Promise<void> {
    try {
      await eventually(() => this.output.includes(text), text);
    } catch {
      fail(`${JSON.stringify(text)} is not in ${JSON.stringify(this.output)}`);
    }
  }

  /** Types a line, waits for output that the line itself does not have, and drops it. */
  async run(line: string, text: string): Promise<void> {
    this.type(`${line}\n`);
    await this.shows(text);
    this.output = "";
  }
}

/** Reads a stream to its end. */
export function textOf(stream: Stream): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new TextDecoder();
  let text = "";
  stream.onData = (chunk): void => {
    text += decoder.decode(chunk, { stream: true });
  };
  stream.onClose = (error): void => error ? reject(error) : resolve(text);
  return promise;
}

/** Defines a test with children, on Linux. */
export function onLinux(
  name: string,
  body: (stage: Stage) => Promise<void>,
): void {
  test(
    `${name}${linux ? "" : " (ignored: this is not Linux)"}`,
    async () => {
      await using stage = new Stage();
      await body(stage);
    },
    { ignore: !linux },
  );
}
