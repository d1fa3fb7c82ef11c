/** Random changes of a tree, with few names, so that paths are used again. */

import type { Random } from "../../util.ts";

/** Two directories on the same disk. */
export interface Directories {
  readonly outer: string;
  /** The watched tree. */
  readonly root: string;
  /** For moves out of the tree and into it. */
  readonly outside: string;
}

/** The directories in a directory. */
export function directoriesIn(outer: string): Directories {
  return { outer, root: `${outer}/root`, outside: `${outer}/outside` };
}

/** Makes an empty tree to watch. */
export function makeDirectories(): Directories {
  const directories = directoriesIn(Deno.makeTempDirSync());
  Deno.mkdirSync(directories.root);
  Deno.mkdirSync(directories.outside);
  return directories;
}

/** The last file of `mutator_program.ts`, which is removed at once. */
export const LAST = "done";

const NAMES = ["a", "b", "c"];
const MOST_DEPTH = 4;

/** Changes a tree. */
export class Mutator {
  readonly #directories: Directories;
  readonly #random: Random;

  constructor(directories: Directories, random: Random) {
    this.#directories = directories;
    this.#random = random;
  }

  /** Makes one change. Returns false if the disk did not permit it. */
  change(): boolean {
    const act = this.#random.pick([
      this.#makeDirectory,
      this.#makeDirectory,
      this.#makeChain,
      this.#write,
      this.#write,
      this.#remove,
      this.#rename,
      this.#rename,
      this.#moveOut,
      this.#moveIn,
      this.#replace,
      this.#swap,
    ]);
    try {
      return act.call(this);
    } catch {
      return false; // The path exists, does not, or is of the wrong type.
    }
  }

  #path(): string {
    const depth = 1 + this.#random.below(MOST_DEPTH);
    const names = Array.from({ length: depth }, () => this.#random.pick(NAMES));
    return `${this.#directories.root}/${names.join("/")}`;
  }

  #outside(): string {
    return `${this.#directories.outside}/${this.#random.pick(NAMES)}`;
  }

  #makeDirectory(): boolean {
    Deno.mkdirSync(this.#path());
    return true;
  }

  #makeChain(): boolean {
    const path = this.#path();
    Deno.mkdirSync(path, { recursive: true });
    Deno.writeTextFileSync(`${path}/file`, "");
    return true;
  }

  #write(): boolean {
    Deno.writeTextFileSync(this.#path(), "text");
    return true;
  }

  #remove(): boolean {
    Deno.removeSync(this.#path(), { recursive: true });
    return true;
  }

  #rename(): boolean {
    const from = this.#path();
    const to = this.#path();
    if (from === to) return false;
    Deno.renameSync(from, to);
    return true;
  }

  #moveOut(): boolean {
    const to = this.#outside();
    const from = this.#path();
    Deno.renameSync(from, to);
    return true;
  }

  #moveIn(): boolean {
    const from = this.#outside();
    Deno.renameSync(from, this.#path());
    return true;
  }

  /** A new directory under the name of another. */
  #replace(): boolean {
    const path = this.#path();
    Deno.removeSync(path, { recursive: true });
    Deno.mkdirSync(path);
    Deno.writeTextFileSync(`${path}/${this.#random.pick(NAMES)}`, "");
    return true;
  }

  #swap(): boolean {
    const one = this.#path();
    const other = this.#path();
    const aside = `${this.#directories.root}/aside`;
    Deno.renameSync(one, aside);
    try {
      Deno.renameSync(other, one);
    } finally {
      Deno.renameSync(aside, other);
    }
    return true;
  }
}
