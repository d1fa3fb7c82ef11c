/**
 * Guests in C, Rust and Go, compiled and run by the commands of the documentation.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { build } from "../../../examples/wasi_echo/build.ts";
import { close, pipe, read } from "../../../backends/ffi/mod.ts";
import { WasiHost } from "../../../adapters/wasi/mod.ts";
import { fetchOnce } from "../../fetch.ts";
import { startDeno } from "../../program.ts";
import { bytesOf, emulated, test } from "../../util.ts";
import { buildGo, buildRust, EXAMPLES } from "./compilers.ts";

const directory = await Deno.makeTempDir();
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(directory, { recursive: true }),
);

/** The time limit of a guest in a test, in milliseconds. */
const LONGEST_TEST = emulated ? 300_000 : 60_000;

/** A test of a guest that serves a port. */
interface GuestTest {
  readonly name: string;
  readonly body: (port: number) => Promise<void>;
}

/** Serves a program on a port that the system chooses, for the duration of `body`. */
async function serving(
  program: string,
  mode: string,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const script = `${EXAMPLES}run.ts`;
  await using host = startDeno([
    ...["run", "--no-check", "--allow-ffi", "--allow-read", script],
    ...["--port", "0", "--mode", mode, program],
  ], { timeout: LONGEST_TEST });
  const address = /127\.0\.0\.1:(\d+)/;
  await host.until(() => address.test(host.errors), "the port");
  await body(Number(address.exec(host.errors)![1]));
}

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

/** Compiles a guest and tests it in both modes; ignored without a compiler. */
async function testGuest(
  language: string,
  compile: (output: string) => Promise<true | string>,
  tests: readonly GuestTest[],
): Promise<void> {
  const program = `${directory}/${language}.wasm`;
  const result = await compile(program);
  const reason = result === true
    ? ""
    : ` (ignored: ${result.split("\n")[0]!.slice(0, 80)})`;
  for (const mode of ["run", "serve"]) {
    for (const { name, body } of tests) {
      test(
        `a server in ${language} ${name} under ${mode}()${reason}`,
        () => serving(program, mode, body),
        { ignore: result !== true },
      );
    }
  }
}

/** The tests of servers that echo on a socket. */
const ECHO_TESTS: readonly GuestTest[] = [{
  name: "echoes to one client after the other",
  async body(port): Promise<void> {
    for (const greeting of ["hello", "and again"]) {
      using connection = await connect(port);
      await connection.write(bytesOf(greeting));
      const buffer = new Uint8Array(64);
      const count = await connection.read(buffer);
      assertEquals(
        new TextDecoder().decode(buffer.slice(0, count ?? 0)),
        greeting,
      );
    }
  },
}];

/** A connection for requests. */
class HttpClient implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<HttpClient> {
    return new HttpClient(await connect(port));
  }

  /** Sends the head of a request with a body of `length` bytes. */
  async begin(length: number): Promise<void> {
    await this.write(
      `POST / HTTP/1.1\r\nHost: guest\r\nContent-Length: ${length}\r\n\r\n`,
    );
  }

  async write(text: string): Promise<void> {
    const bytes = bytesOf(text);
    for (let done = 0; done < bytes.length;) {
      done += await this.#connection.write(bytes.subarray(done));
    }
  }

  /** Posts a text, which the server has to return. */
  async echo(text: string): Promise<void> {
    await this.begin(text.length);
    await this.write(text);
    const answer = await this.#readUntil(`\r\n\r\n${text}`);
    assertStringIncludes(answer, "HTTP/1.1 200 OK");
  }

  async #readUntil(end: string): Promise<string> {
    const buffer = new Uint8Array(4096);
    let answer = "";
    while (!answer.endsWith(end)) {
      const count = await this.#connection.read(buffer);
      assert(count !== null, `the connection ended after: ${answer}`);
      answer += new TextDecoder().decode(buffer.subarray(0, count));
    }
    return answer;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Posts bytes, which the server has to return. */
async function echoBytes(port: number, length: number): Promise<void> {
  const body = new Uint8Array(length).map((_, index) =>
    index * 7 + index / 512
  );
  const response = await fetchOnce(`http://127.0.0.1:${port}/`, {
    method: "POST",
    body,
  });
  assertEquals(new Uint8Array(await response.arrayBuffer()), body);
}

const HTTP_TESTS: readonly GuestTest[] = [{
  name: "answers several requests on a connection",
  async body(port): Promise<void> {
    using client = await HttpClient.connect(port);
    for (const text of ["one", "two", "three"]) await client.echo(text);
  },
}, {
  name: "answers fifty clients at once",
  async body(port): Promise<void> {
    using clients = new DisposableStack();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => HttpClient.connect(port)),
    );
    for (const client of all) clients.use(client);
    for (const text of ["hello", "and again"]) {
      await Promise.all(
        all.map((client, index) => client.echo(`${text} ${index}`)),
      );
    }
  },
}, {
  name: "sends back a body of 100 KiB and one of 8 MiB",
  async body(port): Promise<void> {
    for (const length of [100 << 10, 8 << 20]) await echoBytes(port, length);
  },
}, {
  name: "answers while another client is slow",
  async body(port): Promise<void> {
    using slow = await HttpClient.connect(port);
    await slow.begin(9);
    await slow.write("half");
    using quick = await HttpClient.connect(port);
    await quick.echo("hello");
  },
}, {
  name: "survives clients that disconnect in the middle of a request",
  async body(port): Promise<void> {
    for (let round = 0; round < 5; round++) {
      using client = await HttpClient.connect(port);
      await client.begin(1_000_000);
      await client.write("x".repeat(100_000));
    }
    using client = await HttpClient.connect(port);
    await client.echo("hello");
  },
}];

await testGuest("C", build, ECHO_TESTS);
await testGuest("Rust", buildRust, ECHO_TESTS);
// In emulation each takes 15 seconds, to compile eight megabytes.
await testGuest("Go", buildGo, emulated ? HTTP_TESTS.slice(0, 1) : HTTP_TESTS);

/** Compiles the program that uses files, or returns the reason why it cannot. */
async function filesGuest(): Promise<WebAssembly.Module | string> {
  const source = new URL("files_guest.c", import.meta.url).pathname;
  const output = await Deno.makeTempFile({ suffix: ".wasm" });
  try {
    const { success, stderr } = await new Deno.Command("clang", {
      args: [
        ...["--target=wasm32-wasi", "--sysroot=/usr", "-O2", "-Wall"],
        ...["-o", output, source],
      ],
    }).output();
    if (!success) return new TextDecoder().decode(stderr).trim();
    return await WebAssembly.compile(await Deno.readFile(output));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no clang";
    throw error;
  } finally {
    await Deno.remove(output);
  }
}

const files = await filesGuest();
const noFiles = typeof files === "string"
  ? ` (ignored: ${files.split("\n")[0]})`
  : "";

test(
  `WasiHost.run: a program in C uses the files of its directory, and no others${noFiles}`,
  async () => {
    const directory = await Deno.makeTempDir();
    await Deno.mkdir(`${directory}/inside`);
    await Deno.writeTextFile(`${directory}/secret`, "outside");
    const [reader, writer] = pipe();
    const host = new WasiHost({
      preopens: { "/data": `${directory}/inside` },
      stdout: writer,
    });
    assertEquals(host.run(files as WebAssembly.Module), 0);
    const buffer = new Uint8Array(4096);
    const said = new TextDecoder().decode(
      buffer.subarray(0, read(reader, buffer)),
    );
    assertEquals(said.trimEnd().split("\n"), [
      "line: hello 42",
      "line: more",
      "mkdir: done",
      "rename: done",
      "entries: 3",
      "size: 14",
      "symlink: done",
      "readlink: 9",
      "link: 1",
      "through: hello 42",
      "nofollow: Symbolic link loop",
      "out: Operation not permitted",
      "link out: done",
      "through it: Operation not permitted",
      "unlink: done",
      "rmdir: done",
    ]);
    for (const fd of [reader, writer]) close(fd);
    await Deno.remove(directory, { recursive: true });
  },
  { ignore: noFiles !== "" },
);
