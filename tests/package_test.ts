/**
 * The package as `deno publish` ships it: its files alone, in an empty folder, and a
 * program that imports every entry point by its name.
 */

import { assert, assertEquals } from "@std/assert";
import { denoProgram } from "./util.ts";

const ROOT = new URL("../", import.meta.url);

/** A program that uses something of every entry point. */
const PROGRAM = `
import { DefaultSelector, EVENT_READ, Reactor } from "@pollux/reactor";
import * as reactor from "@pollux/reactor/reactor";
import { createSelector, Epoll } from "@pollux/reactor/selectors";
import { pipe, close, write, socketPair } from "@pollux/reactor/socket";
import { WasiHost } from "@pollux/reactor/wasi";
OTHERS

using selector: DefaultSelector<string> = new DefaultSelector<string>();
const [left, right] = socketPair();
selector.register(right, EVENT_READ, "selector");
left.send(new TextEncoder().encode("x"));
for (const [key] of selector.select(1000)) console.log(key.data);
left.close();
right.close();

const [reader, writer] = pipe();
const loop: Reactor = new reactor.Reactor({ selector: createSelector("poll") });
loop.register(reader, EVENT_READ, (fileobj) => {
  console.log("reactor");
  loop.unregister(fileobj);
});
write(writer, new Uint8Array(1));
loop.run();
loop.close();
close(reader);
close(writer);

// (module (memory (export "memory") 1) (func (export "_start")))
const guest = Uint8Array.fromHex(
  "0061736d0100000001040160000003020100050301000107130206" +
    "6d656d6f72790200065f737461727400000a040102000b",
);
if (new WasiHost().run(new WebAssembly.Module(guest)) === 0) console.log("wasi");
if (typeof Epoll === "function") console.log("selectors");
`;

/** The output of a Deno command that must succeed. */
async function deno(cwd: string | URL, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(denoProgram(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const errors = decoder.decode(stderr);
  assert(success, `deno ${args.join(" ")}\n${errors}`);
  return decoder.decode(stdout) + errors;
}

/** The paths of the files that `deno publish` ships. */
async function shippedFiles(): Promise<string[]> {
  const output = await deno(
    ROOT,
    "publish",
    "--dry-run",
    "--allow-dirty",
    "--no-check",
  );
  return [...output.matchAll(/^\s+(file:\S+) \([\d.]+\w+\)$/gm)]
    .map(([_, url]) => url!.slice(ROOT.href.length));
}

/** Copies files of the repository to a folder. */
async function unpack(files: readonly string[], folder: string): Promise<void> {
  for (const file of files) {
    const target = `${folder}/${file}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), {
      recursive: true,
    });
    await Deno.copyFile(new URL(file, ROOT), target);
  }
}

/** The entry points of an unpacked package, by the names that programs import. */
async function entryPoints(folder: string): Promise<Record<string, string>> {
  const { name, exports } = JSON.parse(
    await Deno.readTextFile(`${folder}/deno.json`),
  ) as { name: string; exports: Record<string, string> };
  return Object.fromEntries(
    Object.entries(exports).map(([entry, path]) => [
      name + entry.slice(1),
      `${folder}/${path.slice(2)}`,
    ]),
  );
}

Deno.test("package: its files alone type-check and run, by every entry point", async () => {
  const files = await shippedFiles();
  assert(files.includes("mod.ts") && files.includes("LICENSE"), `${files}`);
  assertEquals(files.filter((file) => file.startsWith("tests/")), []);
  const folder = await Deno.makeTempDir();
  try {
    await unpack(files, `${folder}/package`);
    const imports = await entryPoints(`${folder}/package`);
    const others = Object.keys(imports)
      .filter((name) => !PROGRAM.includes(`"${name}"`))
      .map((name) => `import "${name}";`);
    await Deno.writeTextFile(
      `${folder}/deno.json`,
      JSON.stringify({ imports }),
    );
    await Deno.writeTextFile(
      `${folder}/program.ts`,
      PROGRAM.replace("OTHERS", others.join("\n")),
    );
    const output = await deno(
      folder,
      "run",
      "--check",
      "--no-lock",
      "--no-prompt",
      "--allow-ffi",
      "program.ts",
    );
    assertEquals(
      output.split("\n").filter((line) => /^\w+$/.test(line)),
      ["selector", "reactor", "wasi", "selectors"],
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** The modules that a file of the package loads, also by a dynamic import. */
async function modulesOf(path: string): Promise<string[]> {
  const { modules } = JSON.parse(
    await deno(ROOT, "info", "--json", path),
  ) as { modules: { specifier: string }[] };
  return modules.map(({ specifier }) => specifier);
}

Deno.test("package: ./otel has the one dependency", async () => {
  const { exports } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  ) as { exports: Record<string, string> };
  const dependencies: [entry: string, specifier: string][] = [];
  for (const [entry, path] of Object.entries(exports)) {
    for (const specifier of await modulesOf(path)) {
      if (/^(?:file|node):/.test(specifier)) continue;
      dependencies.push([entry, specifier.replace(/^npm:\/?|@[\d.]+$/g, "")]);
    }
  }
  assertEquals(dependencies, [["./otel", "@opentelemetry/api"]]);
});
