/** Downloads by libcurl, from a server of the test's own. */

import { assertEquals, assertMatch } from "@std/assert";
import { findLibrary } from "../../backends/ffi/calls.ts";
import { ffiPermissionFlag } from "../../backends/ffi/mod.ts";
import { assertFailed, Program } from "../program.ts";
import { denoProgram, eventually } from "../util.ts";
import { absence, assertIdle, startExample, testExamples } from "./start.ts";

const DOWNLOADS = 20;

function findAbsence(): string | undefined {
  try {
    findLibrary("libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.4.dylib");
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const reason = findAbsence();

/** A server that answers when it has a number of requests, and a folder for the files. */
class Stage implements AsyncDisposable {
  readonly directory: string = Deno.makeTempDirSync();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #all = Promise.withResolvers<void>();
  requests = 0;

  constructor(readonly wanted: number) {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => this.#answer(request));
  }

  url(name: string): string {
    return `http://127.0.0.1:${this.#server.addr.port}/${name}`;
  }

  /** The content of a file, different in length from the others. */
  content(name: string): string {
    return name.repeat(1000 * Number(name.slice("file".length)));
  }

  async #answer(request: Request): Promise<Response> {
    const name = new URL(request.url).pathname.slice(1);
    this.requests++;
    if (this.requests === this.wanted) this.#all.resolve();
    await this.#all.promise;
    if (name === "short") return new Response("a few bytes");
    if (!name.startsWith("file")) return new Response(null, { status: 404 });
    return new Response(this.content(name));
  }

  /** Starts the example in the folder of the stage. */
  start(...urls: string[]): Program {
    const example = new URL("../../examples/downloads.ts", import.meta.url);
    const script = 'cd "$0" && exec "$@"';
    const command = [denoProgram(), "run", "--no-prompt", "--allow-ffi"];
    const args = [this.directory, ...command, example.href, ...urls];
    return new Program("sh", ["-c", script, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#all.resolve();
    await this.#server.shutdown();
    await Deno.remove(this.directory, { recursive: true });
  }
}

testExamples("downloads: twenty files arrive at once, and whole", async () => {
  // No request is answered before the last has arrived.
  await using stage = new Stage(DOWNLOADS);
  const names = Array.from({ length: DOWNLOADS }, (_, index) => `file${index}`);
  await using program = stage.start(...names.map((name) => stage.url(name)));
  const { code, errors, lines } = await program.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  assertEquals(lines.length, DOWNLOADS);
  for (const name of names) {
    const content = stage.content(name);
    const file = `${stage.directory}/${name}`;
    assertEquals(Deno.readTextFileSync(file), content);
    const line = `${name} is complete, with ${content.length} bytes`;
    assertEquals(lines.filter((each) => each.endsWith(line)).length, 1);
  }
}, reason);

testExamples(
  "downloads: waits without CPU, and ends on Ctrl-C",
  async () => {
    // The server waits for a third request.
    await using stage = new Stage(3);
    await using program = stage.start(stage.url("file1"), stage.url("file2"));
    await eventually(() => stage.requests === 2, "two requests");
    await assertIdle([program]);
    program.kill("SIGINT");
    const { signal, errors } = await program.ending();
    assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
  },
  absence.proc,
  reason,
);

testExamples(
  "downloads: a failure is a line, and status 1, and the others arrive",
  async () => {
    await using stage = new Stage(2);
    const missing = stage.url("missing");
    await using program = stage.start(missing, stage.url("file3"));
    const { code, errors, lines } = await program.ending();
    assertEquals({ code, errors }, { code: 1, errors: "" });
    const texts = lines.map((line) => line.replace(/^\d of 2: /, "")).sort();
    assertEquals(texts[0]!.startsWith("file3 is complete"), true);
    assertEquals(texts[1]!.startsWith(`${missing}: HTTP response code`), true);
  },
  reason,
);

testExamples(
  "downloads: a file that cannot be written is a line, and the others arrive",
  async () => {
    await using stage = new Stage(2);
    // Its bytes are so few that only fclose() writes them.
    await Deno.symlink("/dev/full", `${stage.directory}/short`);
    await Deno.mkdir(`${stage.directory}/file2`);
    const urls = ["short", "file2", "file3"].map((name) => stage.url(name));
    await using program = stage.start(...urls);
    const { code, errors, lines } = await program.ending();
    assertEquals({ code, errors }, { code: 1, errors: "" });
    const texts = lines.map((line) => line.replace(/^\d of 3: /, "")).sort();
    const [first, second, third] = texts;
    assertMatch(first!, /^file2: Is a directory/);
    assertMatch(second!, /^file3 is complete/);
    assertMatch(third!, /^http:.*\/short: No space left on device/);
  },
  absence.proc,
  reason,
);

testExamples(
  "downloads: two URLs of one file name are refused, with status 2",
  async () => {
    const urls = ["http://127.0.0.1:1/a/file", "http://127.0.0.1:1/b/file"];
    await using program = startExample("downloads", urls);
    const text = /^Two files have the name file\n$/;
    assertFailed(await program.ending(), 2, text);
  },
);

testExamples(
  "downloads: without libcurl it says so in one line, and status 1",
  async () => {
    const urls = ["http://127.0.0.1:1/"];
    const permissions = [ffiPermissionFlag()];
    await using program = startExample("downloads", urls, permissions);
    const text = /^Cannot find library "libcurl.*\n$/;
    assertFailed(await program.ending(), 1, text);
  },
  absence.task,
);

testExamples(
  "downloads: without a URL it prints its usage, and status 2",
  async () => {
    await using program = startExample("downloads");
    assertFailed(await program.ending(), 2, /^Usage: downloads.ts URL…\n$/);
  },
);
