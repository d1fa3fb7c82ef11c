/**
 * Programs in processes of their own: starts them, types into them, and waits for
 * their output.
 */

import { assertEquals, assertMatch, fail } from "@std/assert";
import { ffiPermissionFlag } from "../backends/ffi/mod.ts";
import { hasFullPermission } from "../backends/ffi/permission.ts";
import { denoProgram } from "./util.ts";
import { Keyboard } from "./windows/keyboard.ts";

/** Default time after which a program that still runs is killed, in milliseconds. */
const TIMEOUT = 120_000;

const ROOT = new URL("../", import.meta.url);

const windows = Deno.build.os === "windows";

const FFI = hasFullPermission() ? "--allow-ffi" : ffiPermissionFlag();

/** How a program ended. */
export interface Ending {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  /** Standard output, line by line. */
  readonly lines: readonly string[];
  /** Standard error. */
  readonly errors: string;
}

/** How a program is started. */
export interface ProgramOptions {
  /** Environment variables in addition to those of the tests. */
  readonly env?: Record<string, string>;
  /** Whether `type()` and `endInput()` can be called. Default: standard input is empty. */
  readonly hasInput?: boolean;
  /** Whether `interrupt()` can be called: on Windows the program gets a console. */
  readonly hasConsole?: boolean;
  /** Milliseconds after which the program is killed. Default: 120,000. */
  readonly timeout?: number;
}

/** A running program, which the end of an `await using` scope kills. */
export class Program implements AsyncDisposable {
  /** Standard output up to now. */
  text = "";
  /** Standard output up to now, line by line. */
  readonly lines: string[] = [];
  /** Standard error up to now. */
  errors = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | null;
  readonly #keyboard: Keyboard | null;
  readonly #watchdog: ReturnType<typeof setTimeout>;
  readonly #output: Promise<unknown>;
  #unfinishedLine = "";
  #hasEnded = false;
  #isInputEnded = false;
  #change = Promise.withResolvers<void>();

  /** Starts a program in the root of the repository. */
  constructor(
    program: string,
    args: readonly string[],
    { env = {}, timeout = TIMEOUT, ...has }: ProgramOptions = {},
  ) {
    const { hasInput = false, hasConsole = false } = has;
    this.#keyboard = hasConsole && windows ? new Keyboard() : null;
    const wrapped = this.#keyboard?.arguments(program, args);
    this.#child = new Deno.Command(wrapped ? denoProgram() : program, {
      args: wrapped ?? [...args],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...env },
      stdin: hasInput ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = hasInput ? this.#child.stdin.getWriter() : null;
    this.#watchdog = setTimeout(() => this.#end(), timeout);
    this.#output = this.#readOutput();
  }

  /** The process ID. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Writes to standard input. */
  async type(text: string): Promise<void> {
    await this.#input!.write(new TextEncoder().encode(text));
  }

  /** Closes standard input: the program reads end of file. */
  async endInput(): Promise<void> {
    this.#isInputEnded = true;
    await this.#input!.close();
  }

  /** Waits for a line that matches. */
  async line(wanted: RegExp): Promise<string> {
    const find = (): string | undefined =>
      this.lines.find((line) => wanted.test(line));
    await this.until(() => find() !== undefined, `${wanted}`);
    return find()!;
  }

  /** Waits until standard output includes a text. */
  async shows(wanted: string): Promise<void> {
    await this.until(() => this.text.includes(wanted), wanted);
  }

  /** Waits until the output meets a condition; fails if the program ends before. */
  async until(
    condition: () => boolean,
    name: string = `${condition}`,
  ): Promise<void> {
    while (!condition()) {
      if (this.#hasEnded) {
        fail(`Waited in vain for ${name}:\n${this.text}\n${this.errors}`);
      }
      await this.#change.promise;
    }
  }

  /** Waits for the line in which a server prints its address, and returns the port. */
  async port(): Promise<number> {
    const line = await this.line(/^Server start at: /);
    assertMatch(line, /:\d+$/);
    return Number(line.slice(line.lastIndexOf(":") + 1));
  }

  /** Waits until the program ends without being killed. */
  async ending(): Promise<Ending> {
    await this.#output;
    const { code, signal } = await this.#child.status;
    return { code, signal, lines: this.lines, errors: this.errors };
  }

  /** Presses Ctrl-C. */
  async interrupt(): Promise<void> {
    if (this.#keyboard === null) this.kill("SIGINT");
    else await this.#keyboard.pressCtrlC();
  }

  /** Sends a signal, unless the program has ended already. */
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // The process has been waited for.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.ending();
    // The pipe is broken if the program did not read its last input.
    if (!this.#isInputEnded) await this.#input?.close().catch(() => {});
    clearTimeout(this.#watchdog);
  }

  #end(): void {
    if (this.#keyboard === null) this.kill("SIGKILL");
    else this.#keyboard.close();
  }

  async #readOutput(): Promise<void> {
    await Promise.all([
      this.#read(this.#child.stdout, (text) => this.#addOutput(text)),
      this.#read(this.#child.stderr, (text) => this.errors += text),
    ]);
    if (this.#unfinishedLine !== "") this.lines.push(this.#unfinishedLine);
    this.#hasEnded = true;
    this.#announceChange();
  }

  async #read(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    add: (text: string) => void,
  ): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      this.#announceChange();
    }
  }

  #addOutput(text: string): void {
    this.text += text;
    const lines = (this.#unfinishedLine + text).split("\n");
    this.#unfinishedLine = lines.pop()!;
    this.lines.push(...lines);
  }

  #announceChange(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}

/** Starts Deno. A program may open no more libraries than its test. */
export function startDeno(
  args: readonly string[],
  options?: ProgramOptions,
): Program {
  const scoped = args.map((arg) => arg === "--allow-ffi" ? FFI : arg);
  return new Program(denoProgram(), scoped, options);
}

/** Asserts that a program has failed with one line on standard error. */
export function assertFailed(ending: Ending, code: number, line: RegExp): void {
  assertEquals(ending.code, code, ending.errors);
  assertMatch(ending.errors, /^[^\n]+\n$/);
  assertMatch(ending.errors, line);
}

/** Why tests that run a program have to be ignored; undefined if it is installed. */
export async function absenceOf(
  program: string,
  ...args: string[]
): Promise<string | undefined> {
  try {
    await new Deno.Command(program, { args, stdin: "null" }).output();
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return `there is no ${program}`;
  }
}
