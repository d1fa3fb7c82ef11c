/**
 * Random changes of a watched tree. A program that applies the events has to know the
 * same paths as the disk, once it has applied them all. `POLLUX_SEED` repeats a failure.
 */

import { assert, assertEquals } from "@std/assert";
import { Inotify, type InotifyEvent } from "../../../adapters/inotify/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { chooseSeed, denoProgram, Random, test } from "../../util.ts";
import { type Directories, LAST, makeDirectories, Mutator } from "./mutator.ts";

const linux = Deno.build.os === "linux";
const SEEDS = 12;

/** The paths of a tree, and whether each is a directory. */
type Paths = Map<string, boolean>;

function walkAll(directories: readonly string[]): Paths {
  const paths: Paths = new Map();
  for (const directory of directories) walk(directory, paths);
  return paths;
}

function walk(directory: string, paths: Paths): void {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    paths.set(path, isDirectory);
    if (isDirectory) walk(path, paths);
  }
}

/** The paths as text, one a line. */
function textOf(paths: Paths, { outer }: Directories): string {
  return [...paths].map(([path, isDirectory]) =>
    path.slice(outer.length + 1) + (isDirectory ? "/" : "")
  ).sort().join("\n");
}

/** A program that knows a tree by its events alone, except after an overflow. */
class Follower {
  readonly #roots: readonly string[];
  /** Whether an event may concern an unknown path. */
  readonly #isLenient: boolean;
  readonly log: string[] = [];
  paths: Paths;

  constructor(roots: readonly string[], isLenient: boolean) {
    this.#roots = roots;
    this.#isLenient = isLenient;
    this.paths = walkAll(roots);
  }

  apply(event: InotifyEvent): void {
    this.log.push(JSON.stringify(event));
    if (event.type === "overflow") {
      this.paths = walkAll(this.#roots);
    } else if (event.type === "create") {
      // A file that is moved into the tree may replace a file.
      const isFile = !event.isDirectory && this.paths.get(event.path) === false;
      this.#expect(isFile || !this.paths.has(event.path), "is known already");
      this.#put(event.path, event.isDirectory);
    } else if (event.type === "delete") {
      this.#expect(this.paths.has(event.path), "is not known");
      this.#remove(event.path);
    } else if (event.type === "move") {
      this.#expect(this.paths.has(event.from), "is not known");
      this.#move(event.from, event.path, event.isDirectory);
    } else {
      const isRoot = this.#roots.includes(event.path);
      this.#expect(isRoot || this.paths.has(event.path), "is not known");
    }
  }

  #expect(condition: boolean, fault: string): void {
    assert(
      condition || this.#isLenient,
      `${this.log.at(-1)}: the path ${fault}`,
    );
  }

  #put(path: string, isDirectory: boolean): void {
    const parent = path.slice(0, path.lastIndexOf("/"));
    this.#expect(
      this.#roots.includes(parent) || this.paths.get(parent) === true,
      "has no known parent",
    );
    this.paths.set(path, isDirectory);
  }

  #remove(path: string): void {
    for (const known of [...this.paths.keys()]) {
      const isBelow = known === path || known.startsWith(`${path}/`);
      if (isBelow) this.paths.delete(known);
    }
  }

  #move(from: string, path: string, isDirectory: boolean): void {
    const moved = [...this.paths].filter(([known]) =>
      known.startsWith(`${from}/`)
    );
    this.#remove(from);
    this.#remove(path);
    this.#put(path, isDirectory);
    for (const [known, isDirectory] of moved) {
      this.paths.set(path + known.slice(from.length), isDirectory);
    }
  }
}

/**
 * - `exact`: each event has to fit the known paths
 * - `two`: the same, for two watched trees with moves from one to the other
 * - `lenient`: the known paths have to be right in the end
 */
type Kind = "exact" | "two" | "lenient";

/** A watched tree, the program that follows it, and the changes. */
class Trial implements AsyncDisposable {
  readonly directories: Directories = makeDirectories();
  readonly #reactor = new Reactor();
  readonly #watcher = new Inotify(this.#reactor);
  readonly #iterator = this.#watcher[Symbol.asyncIterator]();
  readonly follower: Follower;
  readonly #watched: readonly string[];
  #ends = 0;

  constructor(kind: Kind) {
    this.#reactor.serve();
    const { root, outside } = this.directories;
    this.#watched = kind === "two" ? [root, outside] : [root];
    for (const path of this.#watched) {
      this.#watcher.watch(path, { recursive: true });
    }
    this.follower = new Follower(this.#watched, kind === "lenient");
  }

  /** Applies up to a number of events. */
  async follow(count: number): Promise<void> {
    const last = this.#markEnd();
    for (let index = 0; index < count; index++) {
      if (await this.#next() === last) return;
    }
  }

  /** Makes an event after all others, and returns the path that it deletes. */
  #markEnd(): string {
    const path = `${this.directories.root}/end ${this.#ends++}`;
    Deno.writeTextFileSync(path, "");
    Deno.removeSync(path);
    return path;
  }

  /** Applies an event, and returns the path that it deletes. */
  async #next(): Promise<string | null> {
    const { value, done } = await this.#iterator.next();
    if (done) return null;
    this.follower.apply(value);
    return value.type === "delete" ? value.path : null;
  }

  /** Applies all events, and compares the known paths with the disk. */
  async finish(): Promise<void> {
    await this.followTo(this.#markEnd());
    // Entries that a look has found come after the events that were read before it.
    await this.followTo(this.#markEnd());
    assertEquals(
      textOf(this.follower.paths, this.directories),
      textOf(walkAll(this.#watched), this.directories),
    );
  }

  /** Applies all events up to the deletion of a path. */
  async followTo(path: string): Promise<void> {
    while (await this.#next() !== path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher.close();
    await this.#reactor[Symbol.asyncDispose]();
    Deno.removeSync(this.directories.outer, { recursive: true });
  }
}

/** Runs a body with several seeds. A failure has the seed and the events. */
function property(
  name: string,
  kind: Kind,
  body: (trial: Trial, random: Random, seed: number) => Promise<void>,
): void {
  test(
    `Inotify: ${name}${linux ? "" : " (ignored: this is not Linux)"}`,
    async () => {
      const first = chooseSeed();
      const seeds = kind === "lenient" ? SEEDS / 2 : SEEDS;
      for (let seed = first; seed < first + seeds; seed++) {
        await using trial = new Trial(kind);
        try {
          await body(trial, new Random(seed), seed);
        } catch (error) {
          const events = trial.follower.log.slice(-60).join("\n");
          const message = `Failed with POLLUX_SEED=${seed}, after\n${events}`;
          throw new Error(message, { cause: error });
        }
      }
    },
    { ignore: !linux },
  );
}

async function changeInBursts(trial: Trial, random: Random): Promise<void> {
  const mutator = new Mutator(trial.directories, random);
  for (let burst = 0; burst < 20; burst++) {
    const changes = 1 + random.below(40);
    for (let index = 0; index < changes; index++) mutator.change();
    await trial.finish();
  }
}

property(
  "a program that applies each event knows the tree exactly",
  "exact",
  changeInBursts,
);

property(
  "moves between two watched trees are known exactly",
  "two",
  changeInBursts,
);

property(
  "an event of later changes does not disturb those of earlier ones",
  "exact",
  async (trial, random) => {
    const mutator = new Mutator(trial.directories, random);
    for (let burst = 0; burst < 60; burst++) {
      const changes = 1 + random.below(12);
      for (let index = 0; index < changes; index++) mutator.change();
      await trial.follow(random.below(changes));
    }
    await trial.finish();
  },
);

property(
  "changes of another process are known in the end",
  "lenient",
  async (trial, _random, seed) => {
    const { outer, root } = trial.directories;
    const program = new URL("mutator_program.ts", import.meta.url).href;
    const process = new Deno.Command(denoProgram(), {
      args: ["run", "-A", "--no-check", program, outer, `${seed}`],
    }).spawn();
    try {
      await trial.followTo(`${root}/${LAST}`);
    } finally {
      await process.status;
    }
    await trial.finish();
  },
);
