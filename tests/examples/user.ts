/** Somebody who sits before a program, types, and reads what it shows. */

import { assertEquals, assertMatch, fail } from "@std/assert";
import type { Ending } from "./program.ts";

/** A program that has not ended by then is killed, and whoever waits for it fails. */
const PATIENCE = 30_000;

const ROOT = new URL("../../", import.meta.url);

/** A program with a keyboard: the end of an `await using` scope kills it. */
export class Typist implements AsyncDisposable {
  /** What it has shown up to now. */
  text = "";
  readonly #child: Deno.ChildProcess;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #watchdog: ReturnType<typeof setTimeout>;
  readonly #output: Promise<void>;
  readonly #errors: Promise<string>;
  #ended = false;
  #leftKeyboard = false;
  #news = Promise.withResolvers<void>();

  constructor(program: string, args: readonly string[]) {
    this.#child = new Deno.Command(program, {
      args: [...args],
      cwd: ROOT,
      env: { NO_COLOR: "1", PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#keyboard = this.#child.stdin.getWriter();
    this.#watchdog = setTimeout(() => this.#kill(), PATIENCE);
    this.#output = this.#watch();
    this.#errors = new Response(this.#child.stderr).text();
  }

  /** Types something, which may be a line. */
  async type(text: string): Promise<void> {
    await this.#keyboard.write(new TextEncoder().encode(text));
  }

  /** Types no more: the program reads the end of its standard input. */
  async leaveKeyboard(): Promise<void> {
    this.#leftKeyboard = true;
    await this.#keyboard.close();
  }

  /** Waits until the program has shown this. */
  async sees(wanted: string): Promise<void> {
    while (!this.text.includes(wanted)) {
      if (this.#ended) {
        fail(`${wanted} is not in:\n${this.text}\n${await this.#errors}`);
      }
      await this.#news.promise;
    }
  }

  /** Waits until the program ends by itself. */
  async ending(): Promise<Ending> {
    await this.#output;
    const errors = await this.#errors;
    const { code, signal } = await this.#child.status;
    return { code, signal, lines: this.text.split("\n"), errors };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await this.ending();
    // What was typed last may have found nobody.
    if (!this.#leftKeyboard) await this.#keyboard.close().catch(() => {});
    clearTimeout(this.#watchdog);
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async #watch(): Promise<void> {
    const text = this.#child.stdout.pipeThrough(new TextDecoderStream());
    for await (const chunk of text) {
      this.text += chunk;
      this.#tell();
    }
    this.#ended = true;
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** Somebody with `nc`, which is on most machines. */
export function startNetcat(...args: readonly (string | number)[]): Typist {
  return new Typist("nc", args.map(String));
}

/** Asks a server one thing in Python; the answer is whatever comes before the end. */
export async function askInPython(
  protocol: "tcp" | "udp",
  port: number,
  message: string,
): Promise<Uint8Array> {
  const script = "tests/examples/python/ask.py";
  await using client = new Typist("python3", [script, protocol, `${port}`]);
  await client.type(message);
  await client.leaveKeyboard();
  const { code, errors, lines } = await client.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  return Uint8Array.fromHex(lines[0]!);
}

/** Asserts that a program has failed with one line on standard error. */
export function assertFailed(ending: Ending, code: number, line: RegExp): void {
  assertEquals(ending.code, code, ending.errors);
  assertMatch(ending.errors, /^[^\n]+\n$/);
  assertMatch(ending.errors, line);
}

/** Why there can be no test with `nc`, if so. */
export const netcatAbsence: string | undefined = await findNetcat();

async function findNetcat(): Promise<string | undefined> {
  try {
    await new Deno.Command("nc", { args: ["-h"] }).output();
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "there is no nc";
  }
}
