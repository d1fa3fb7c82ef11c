/**
 * The size of the public surface, as `deno doc` sees it.
 */

import { assert, assertEquals } from "@std/assert";
import { denoProgram } from "./util.ts";

/** The most names of an entry point: those that fit a screen. */
const LIMITS: Readonly<Record<string, number>> = {
  "mod.ts": 90,
  "adapters/wasi/mod.ts": 15,
};

/** Names of plain descriptors say too little outside of `./socket`. */
const ONLY_IN_SOCKET = [
  "close",
  "dup",
  "fileDescriptor",
  "isBlocking",
  "openFile",
  "openLibrary",
  "pipe",
  "read",
  "setBlocking",
  "write",
];

const ROOT = new URL("../", import.meta.url);

interface Declaration {
  readonly kind: string;
  readonly location: { readonly filename: string };
}

interface Documented {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

/** The public symbols of an entry point. */
async function symbolsOf(entry: string): Promise<Documented[]> {
  const { stdout, success } = await new Deno.Command(denoProgram(), {
    args: ["doc", "--json", entry],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  assert(success, `deno doc --json ${entry}`);
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as {
    nodes: Record<string, { symbols: Documented[] }>;
  };
  return Object.values(nodes).flatMap(({ symbols }) => symbols);
}

async function entryPoints(): Promise<string[]> {
  const config = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  ) as {
    exports: Record<string, string>;
  };
  return Object.values(config.exports).map((path) => path.slice(2));
}

for (const [entry, limit] of Object.entries(LIMITS)) {
  Deno.test(`surface: ${entry} has at most ${limit} names`, async () => {
    const names = (await symbolsOf(entry)).map(({ name }) => name);
    assert(names.length > 0);
    assert(
      names.length <= limit,
      `${names.length} names: ${names.sort().join(" ")}`,
    );
  });
}

Deno.test("surface: names of plain descriptors are in ./socket alone", async () => {
  const names = (await symbolsOf("mod.ts")).map(({ name }) => name);
  assertEquals(names.filter((name) => ONLY_IN_SOCKET.includes(name)), []);
});

Deno.test("surface: no public class hides a member from the documentation", async () => {
  const files = new Set<string>();
  for (const entry of await entryPoints()) {
    for (const { declarations } of await symbolsOf(entry)) {
      for (const { kind, location } of declarations) {
        if (kind === "class") files.add(location.filename);
      }
    }
  }
  assert(files.size > 0);
  const hiding = [...files].filter((file) =>
    Deno.readTextFileSync(new URL(file)).includes("@ignore")
  );
  assertEquals(hiding, []);
});
