/**
 * Files and trees that change while they are watched.
 */

import { assertEquals, assertThrows, fail } from "@std/assert";
import { Inotify, type InotifyEvent } from "../../../adapters/inotify/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { ffiPermissionFlag } from "../../../backends/ffi/mod.ts";
import { Program } from "../../program.ts";
import { denoProgram, runDeno, test } from "../../util.ts";

const linux = Deno.build.os === "linux";

/** A directory to watch, and the events of its watcher. */
class Stage implements AsyncDisposable {
  readonly reactor = new Reactor();
  readonly watcher = new Inotify(this.reactor);
  readonly outside: string = Deno.makeTempDirSync();
  readonly root = `${this.outside}/root`;
  readonly #events = this.watcher[Symbol.asyncIterator]();

  constructor() {
    this.reactor.serve();
    Deno.mkdirSync(this.root);
  }

  /** A path in the watched directory. */
  at(path: string): string {
    return `${this.root}/${path}`;
  }

  /** Waits for the events up to the first that matches, as short texts. */
  async until(last: string): Promise<string[]> {
    const texts: string[] = [];
    while (texts.at(-1) !== last) {
      const { value, done } = await this.#events.next();
      if (done) fail(`${last} is not in:\n${texts.join("\n")}`);
      texts.push(this.#textOf(value));
    }
    return texts;
  }

  #textOf(event: InotifyEvent): string {
    if (event.type === "overflow") return "overflow";
    const relative = (path: string): string =>
      path.slice(this.root.length + 1) || ".";
    const kind = event.isDirectory ? "/" : "";
    const from = event.type === "move" ? ` ${relative(event.from)} to` : "";
    return `${event.type}${from} ${relative(event.path)}${kind}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watcher.close();
    await this.reactor[Symbol.asyncDispose]();
    Deno.removeSync(this.outside, { recursive: true });
  }
}

function onLinux(name: string, body: (stage: Stage) => Promise<void>): void {
  test(
    `Inotify: ${name}${linux ? "" : " (ignored: this is not Linux)"}`,
    async () => {
      await using stage = new Stage();
      await body(stage);
    },
    { ignore: !linux },
  );
}

onLinux("writing, changing and deleting a file are events", async (stage) => {
  stage.watcher.watch(stage.root);
  Deno.writeTextFileSync(stage.at("file"), "text");
  Deno.chmodSync(stage.at("file"), 0o600);
  Deno.removeSync(stage.at("file"));
  assertEquals(await stage.until("delete file"), [
    "create file",
    "modify file",
    "close file",
    "attributes file",
    "delete file",
  ]);
});

onLinux("a watched file is reported by its own path", async (stage) => {
  const path = stage.at("file");
  Deno.writeTextFileSync(path, "");
  stage.watcher.watch(path);
  Deno.writeTextFileSync(path, "text");
  assertEquals(await stage.until("close file"), [
    "modify file",
    "close file",
  ]);
});

onLinux("a watched file that is moved is a delete", async (stage) => {
  const [path, moved] = [stage.at("log"), stage.at("log.1")];
  Deno.writeTextFileSync(path, "");
  stage.watcher.watch(path);
  Deno.renameSync(path, moved);
  assertEquals(await stage.until("delete log"), ["delete log"]);
  Deno.writeTextFileSync(moved, "not watched any more");
  Deno.writeTextFileSync(path, "");
  stage.watcher.watch(path);
  Deno.writeTextFileSync(path, "text");
  assertEquals(await stage.until("close log"), ["modify log", "close log"]);
});

onLinux("a watched tree that is moved is a delete", async (stage) => {
  Deno.mkdirSync(stage.at("below"));
  stage.watcher.watch(stage.root, { recursive: true });
  Deno.renameSync(stage.root, `${stage.outside}/moved`);
  Deno.writeTextFileSync(`${stage.outside}/moved/below/file`, "");
  assertEquals(await stage.until("delete ./"), ["delete ./"]);
  Deno.mkdirSync(stage.root);
  stage.watcher.watch(stage.root, { recursive: true });
  Deno.mkdirSync(stage.at("last"));
  assertEquals(await stage.until("create last/"), ["create last/"]);
});

onLinux(
  "a watched file below a watched directory moves once",
  async (stage) => {
    Deno.writeTextFileSync(stage.at("a"), "");
    stage.watcher.watch(stage.root);
    stage.watcher.watch(stage.at("a"));
    Deno.renameSync(stage.at("a"), stage.at("b"));
    Deno.writeTextFileSync(stage.at("last"), "");
    const events = await stage.until("create last");
    assertEquals(events, ["move a to b", "create last"]);
  },
);

onLinux("without `recursive` no directory below is watched", async (stage) => {
  stage.watcher.watch(stage.root);
  Deno.mkdirSync(stage.at("below"));
  Deno.writeTextFileSync(stage.at("below/file"), "text");
  Deno.writeTextFileSync(stage.at("last"), "");
  assertEquals(await stage.until("create last"), [
    "create below/",
    "create last",
  ]);
});

onLinux("a tree is watched as it grows, each entry once", async (stage) => {
  Deno.mkdirSync(stage.at("old"));
  stage.watcher.watch(stage.root, { recursive: true });
  Deno.writeTextFileSync(stage.at("old/file"), "");
  Deno.mkdirSync(stage.at("a/b/c"), { recursive: true });
  Deno.writeTextFileSync(stage.at("a/b/c/early"), "");
  const first = await stage.until("create a/b/c/early");
  assertEquals(first.filter((text) => text.startsWith("create")), [
    "create old/file",
    "create a/",
    "create a/b/",
    "create a/b/c/",
    "create a/b/c/early",
  ]);
  Deno.writeTextFileSync(stage.at("a/b/c/late"), "text");
  assertEquals(await stage.until("close a/b/c/late"), [
    "create a/b/c/late",
    "modify a/b/c/late",
    "close a/b/c/late",
  ]);
});

onLinux("a tree is watched as it shrinks", async (stage) => {
  Deno.mkdirSync(stage.at("a/b"), { recursive: true });
  stage.watcher.watch(stage.root, { recursive: true });
  Deno.removeSync(stage.at("a"), { recursive: true });
  assertEquals(await stage.until("delete a/"), ["delete a/b/", "delete a/"]);
  Deno.removeSync(stage.root);
  const [last] = await stage.until("delete ./");
  assertEquals(last, "delete ./");
});

onLinux("the two halves of a move are one event", async (stage) => {
  Deno.mkdirSync(stage.at("a"));
  Deno.mkdirSync(stage.at("b"));
  Deno.writeTextFileSync(stage.at("a/file"), "");
  stage.watcher.watch(stage.root, { recursive: true });
  Deno.renameSync(stage.at("a/file"), stage.at("b/other"));
  assertEquals(await stage.until("move a/file to b/other"), [
    "move a/file to b/other",
  ]);
});

onLinux("a moved directory is watched by its new path", async (stage) => {
  Deno.mkdirSync(stage.at("a/b"), { recursive: true });
  stage.watcher.watch(stage.root, { recursive: true });
  Deno.renameSync(stage.at("a"), stage.at("new"));
  Deno.writeTextFileSync(stage.at("new/b/file"), "");
  assertEquals(await stage.until("create new/b/file"), [
    "move a to new/",
    "create new/b/file",
  ]);
});

onLinux(
  "a directory moved before it is watched reports its entries",
  async (stage) => {
    stage.watcher.watch(stage.root, { recursive: true });
    Deno.mkdirSync(stage.at("a"));
    Deno.writeTextFileSync(stage.at("a/file"), "");
    Deno.renameSync(stage.at("a"), stage.at("b"));
    assertEquals(await stage.until("create b/file"), [
      "create a/",
      "move a to b/",
      "create b/file",
    ]);
  },
);

onLinux("a move into the tree is a create, and is watched", async (stage) => {
  Deno.mkdirSync(`${stage.outside}/other/below`, { recursive: true });
  stage.watcher.watch(stage.root, { recursive: true });
  Deno.renameSync(`${stage.outside}/other`, stage.at("in"));
  await stage.until("create in/below/");
  Deno.writeTextFileSync(stage.at("in/below/file"), "");
  assertEquals(await stage.until("create in/below/file"), [
    "create in/below/file",
  ]);
});

onLinux(
  "a move out of the tree is a delete, before later events",
  async (stage) => {
    Deno.mkdirSync(stage.at("out"));
    stage.watcher.watch(stage.root, { recursive: true });
    Deno.renameSync(stage.at("out"), `${stage.outside}/out`);
    Deno.writeTextFileSync(`${stage.outside}/out/unseen`, "");
    Deno.mkdirSync(stage.at("out"));
    const events = await stage.until("create out/");
    assertEquals(events.slice(0, 1).concat(events.at(-1)!), [
      "delete out/",
      "create out/",
    ]);
    Deno.writeTextFileSync(stage.at("out/seen"), "");
    assertEquals(await stage.until("create out/seen"), ["create out/seen"]);
  },
);

onLinux("events lost by the kernel are an overflow", async (stage) => {
  const limit = Number(
    Deno.readTextFileSync("/proc/sys/fs/inotify/max_queued_events"),
  );
  const create = { write: true, create: true };
  using one = Deno.openSync(stage.at("one"), create);
  using two = Deno.openSync(stage.at("two"), create);
  stage.watcher.watch(stage.root);
  const byte = new Uint8Array(1);
  // The kernel merges equal events in a row, so two files take turns.
  for (let count = 0; count <= limit; count++) {
    (count % 2 === 0 ? one : two).writeSync(byte);
  }
  const events = await stage.until("overflow");
  assertEquals(events.filter((text) => text === "overflow").length, 1);
});

onLinux("after an overflow, new directories are watched", async (stage) => {
  const limit = Number(
    Deno.readTextFileSync("/proc/sys/fs/inotify/max_queued_events"),
  );
  Deno.mkdirSync(stage.at("old"));
  stage.watcher.watch(stage.root, { recursive: true });
  for (let count = 0; count <= limit / 3; count++) {
    Deno.writeTextFileSync(stage.at("file"), "text");
    Deno.removeSync(stage.at("file"));
  }
  Deno.renameSync(stage.at("old"), stage.at("moved"));
  Deno.mkdirSync(stage.at("new/below"), { recursive: true });
  await stage.until("overflow");
  Deno.writeTextFileSync(stage.at("moved/one"), "");
  Deno.writeTextFileSync(stage.at("new/below/two"), "");
  const events = await stage.until("create new/below/two");
  assertEquals(events.filter((text) => text.startsWith("create")), [
    "create moved/one",
    "create new/below/two",
  ]);
});

onLinux(
  "a directory is watched if a second one replaces it at once",
  async (stage) => {
    const outside = (name: string): string => `${stage.outside}/${name}`;
    Deno.mkdirSync(outside("one"));
    Deno.mkdirSync(outside("two"));
    Deno.writeTextFileSync(outside("two/file"), "");
    stage.watcher.watch(stage.root, { recursive: true });
    Deno.renameSync(outside("one"), stage.at("a"));
    Deno.writeTextFileSync(stage.at("seen"), "");
    await stage.until("close seen");
    // The kernel merges the two moves to "b" to one event.
    Deno.mkdirSync(outside("three"));
    Deno.renameSync(outside("three"), stage.at("b"));
    Deno.renameSync(outside("two"), stage.at("b"));
    assertEquals(await stage.until("create b/file"), [
      "create b/",
      "create b/file",
    ]);
  },
);

onLinux(
  "a directory that takes the path of another is not mixed up",
  async (stage) => {
    stage.watcher.watch(stage.root, { recursive: true });
    Deno.mkdirSync(stage.at("a"));
    Deno.mkdirSync(stage.at("b"));
    Deno.writeTextFileSync(stage.at("b/file"), "");
    Deno.removeSync(stage.at("a"));
    Deno.renameSync(stage.at("b"), stage.at("a"));
    Deno.mkdirSync(stage.at("b"));
    assertEquals(await stage.until("create a/file"), [
      "create a/",
      "create b/",
      "delete a/",
      "move b to a/",
      "create b/",
      "create a/file",
    ]);
  },
);

onLinux("a watched path that is moved itself is a delete", async (stage) => {
  const tree = `${stage.outside}/tree`;
  const file = `${stage.outside}/file`;
  Deno.mkdirSync(`${tree}/below`, { recursive: true });
  Deno.writeTextFileSync(file, "");
  stage.watcher.watch(stage.root);
  stage.watcher.watch(tree, { recursive: true });
  stage.watcher.watch(file);
  Deno.renameSync(tree, `${stage.outside}/away`);
  Deno.renameSync(file, `${stage.outside}/gone`);
  Deno.writeTextFileSync(`${stage.outside}/away/below/file`, "");
  Deno.writeTextFileSync(`${stage.outside}/gone`, "text");
  Deno.writeTextFileSync(stage.at("last"), "");
  // Both paths are as long as that of the root, whose texts begin after a slash.
  assertEquals(await stage.until("create last"), [
    "delete ./",
    "delete .",
    "create last",
  ]);
  Deno.writeTextFileSync(file, "");
  stage.watcher.watch(file);
  Deno.writeTextFileSync(file, "text");
  assertEquals((await stage.until("close .")).at(-2), "modify .");
});

onLinux(
  "a watched tree that is moved into another has the paths of that one",
  async (stage) => {
    const tree = `${stage.outside}/tree`;
    Deno.mkdirSync(`${tree}/below`, { recursive: true });
    stage.watcher.watch(tree, { recursive: true });
    stage.watcher.watch(stage.root, { recursive: true });
    Deno.renameSync(tree, stage.at("in"));
    Deno.writeTextFileSync(stage.at("in/below/file"), "");
    assertEquals(await stage.until("create in/below/file"), [
      "create in/",
      "delete ./",
      "create in/below/",
      "create in/below/file",
    ]);
  },
);

onLinux(
  "a path that is too long for the system ends no iteration",
  async (stage) => {
    const half = Array(9).fill("n".repeat(250)).join("/");
    const upper = stage.at(`upper/${half}`);
    const lower = `${stage.outside}/lower/${half}`;
    Deno.mkdirSync(upper, { recursive: true });
    Deno.mkdirSync(lower, { recursive: true });
    stage.watcher.watch(stage.root, { recursive: true });
    Deno.renameSync(`${stage.outside}/lower`, `${upper}/lower`);
    Deno.writeTextFileSync(stage.at("seen"), "");
    const events = await stage.until("close seen");
    assertEquals(events[0], `create upper/${half}/lower/`);
    await stage.until(`create upper/${half}/lower/${half.slice(0, 1505)}/`);
    Deno.renameSync(`${upper}/lower`, stage.at("short"));
    Deno.writeTextFileSync(stage.at("last"), "");
    await stage.until(`create short/${half}/`);
    Deno.writeTextFileSync(stage.at(`short/${half}/file`), "");
    await stage.until(`create short/${half}/file`);
  },
);

onLinux("close() ends a waiting iteration", async (stage) => {
  stage.watcher.watch(stage.root);
  const seen: InotifyEvent[] = [];
  const iteration = (async () => {
    for await (const event of stage.watcher) seen.push(event);
  })();
  await Promise.resolve();
  stage.watcher.close();
  await iteration;
  assertEquals(seen, []);
  assertThrows(
    () => stage.watcher.watch(stage.root),
    Deno.errors.BadResource,
    "Inotify is closed",
  );
});

onLinux("after unwatch() nothing below a path is reported", async (stage) => {
  Deno.mkdirSync(stage.at("a/b"), { recursive: true });
  stage.watcher.watch(stage.at("a"), { recursive: true });
  stage.watcher.watch(stage.root);
  stage.watcher.unwatch(stage.at("a/"));
  Deno.writeTextFileSync(stage.at("a/b/file"), "");
  Deno.writeTextFileSync(stage.at("last"), "");
  assertEquals(await stage.until("create last"), ["create last"]);
});

onLinux(
  "after unwatch() paths below that were watched themselves go on",
  async (stage) => {
    Deno.mkdirSync(stage.at("a/b/c"), { recursive: true });
    Deno.mkdirSync(stage.at("a/tree/c"), { recursive: true });
    stage.watcher.watch(stage.root);
    stage.watcher.watch(stage.at("a/b"));
    stage.watcher.watch(stage.at("a/tree"), { recursive: true });
    stage.watcher.watch(stage.at("a"), { recursive: true });
    stage.watcher.unwatch(stage.at("a"));
    const names = ["a/file", "a/b/c/file", "a/b/file", "a/tree/c/file", "last"];
    for (const name of names) Deno.writeTextFileSync(stage.at(name), "");
    assertEquals(
      (await stage.until("close last")).filter((text) =>
        text.startsWith("create")
      ),
      ["create a/b/file", "create a/tree/c/file", "create last"],
    );
  },
);

onLinux(
  "a tree that is moved out of a recursive one keeps the paths that were watched themselves",
  async (stage) => {
    const flat = `${stage.outside}/flat`;
    Deno.mkdirSync(flat);
    Deno.mkdirSync(stage.at("a/b/c"), { recursive: true });
    stage.watcher.watch(flat);
    stage.watcher.watch(stage.at("a/b"));
    stage.watcher.watch(stage.root, { recursive: true });
    Deno.renameSync(stage.at("a"), `${flat}/a`);
    for (const name of ["a/file", "a/b/c/file", "a/b/file"]) {
      Deno.writeTextFileSync(`${flat}/${name}`, "");
    }
    Deno.writeTextFileSync(stage.at("last"), "");
    // The paths of both directories are equally long, so the texts have the rest.
    const events = await stage.until("create last");
    assertEquals(events.filter((text) => !text.startsWith("close")), [
      "move a to a/",
      "create a/b/file",
      "create last",
    ]);
  },
);

onLinux("the narrow permission is enough", async (stage) => {
  const { code, stdout, stderr } = await runDeno(
    `import { Inotify } from "POLLUX/adapters/inotify/mod.ts";
    import { Reactor } from "POLLUX/reactor/mod.ts";
    const root = ${JSON.stringify(stage.root)};
    await using reactor = new Reactor();
    reactor.serve();
    using watcher = new Inotify(reactor);
    watcher.watch(root, { recursive: true });
    Deno.mkdirSync(root + "/a");
    for await (const event of watcher) {
      console.log(event.type);
      break;
    }`,
    [
      ffiPermissionFlag(),
      `--allow-read=${stage.root}`,
      `--allow-write=${stage.root}`,
    ],
  );
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "create\n",
    stderr: "",
  });
});

/** A program that may not read a directory below the watched one, for a while. */
const UNREADABLE = `
import { Inotify } from "ROOT/adapters/inotify/mod.ts";
import { Reactor } from "ROOT/reactor/mod.ts";
const [root] = Deno.args;
Deno.mkdirSync(root + "/closed/below", { recursive: true });
Deno.chmodSync(root + "/closed", 0);
await using reactor = new Reactor();
reactor.serve();
using watcher = new Inotify(reactor);
watcher.watch(root, { recursive: true });
Deno.writeTextFileSync(root + "/file", "");
Deno.chmodSync(root + "/closed", 0o700);
for await (const { type, path } of watcher) {
  console.log(type, path.slice(root.length + 1));
  if (path.endsWith("below")) break;
}
`;

onLinux("an unreadable directory below is no error", async (stage) => {
  const root = new URL("../../../", import.meta.url).href.replace(/\/$/, "");
  const program = `${stage.outside}/program.ts`;
  Deno.writeTextFileSync(program, UNREADABLE.replaceAll("ROOT", root));
  const run = [denoProgram(), "run", "-A", "--no-check", program, stage.root];
  // The superuser reads every directory, unless it has lost that capability.
  const setpriv = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
  const [command, ...args] = Deno.uid() === 0 ? [...setpriv, ...run] : run;
  await using process = new Program(command!, args);
  const { errors, lines } = await process.ending();
  assertEquals(errors, "");
  assertEquals(lines, [
    "create file",
    "close file",
    "attributes closed",
    "create closed/below",
  ]);
});

onLinux("a missing path is an error", async (stage) => {
  assertThrows(
    () => stage.watcher.watch(stage.at("nothing")),
    Deno.errors.NotFound,
  );
  await Promise.resolve();
});

onLinux("return() ends a pending next(), and loses no event", async (stage) => {
  stage.watcher.watch(stage.root);
  const iterator = stage.watcher[Symbol.asyncIterator]();
  const pending = iterator.next();
  const later = iterator.next();
  await Promise.resolve();
  await iterator.return!();
  const end = { value: undefined, done: true } as const;
  assertEquals([await pending, await later], [end, end]);
  Deno.mkdirSync(stage.at("directory"));
  assertEquals(await stage.until("create directory/"), ["create directory/"]);
});
