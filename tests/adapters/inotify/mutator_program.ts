/** Changes a tree from a process of its own. Its arguments are a directory and a seed. */

import { Random } from "../../util.ts";
import { directoriesIn, LAST, Mutator } from "./mutator.ts";

const CHANGES = 2000;

const [outer, seed] = Deno.args;
const directories = directoriesIn(outer!);
const mutator = new Mutator(directories, new Random(Number(seed)));
for (let index = 0; index < CHANGES; index++) mutator.change();
const last = `${directories.root}/${LAST}`;
Deno.writeTextFileSync(last, "");
Deno.removeSync(last);
