/**
 * Writes into `BENCHMARKS.md` what its own comments tell to measure, so that no
 * number in it was copied by hand: what is between
 * `<!-- measured by: deno task … -->` and `<!-- end -->` is what that command
 * prints.
 *
 *     deno task bench:document [WORD...]
 *
 * With words, only the commands that contain one of them are run.
 *
 * @module
 */

const DOCUMENT = new URL("../BENCHMARKS.md", import.meta.url);
const BLOCK = /(<!-- measured by: deno (.*) -->\n)[^]*?(<!-- end -->)/g;

/** What `deno` prints when it is run with these arguments. */
async function output(args: string): Promise<string> {
  console.error(`deno ${args}`);
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: args.split(" "),
    cwd: new URL("..", import.meta.url),
    stderr: "inherit",
  }).output();
  if (!success) console.error(`deno ${args}: it ends with a complaint`);
  return new TextDecoder().decode(stdout).trim();
}

let document = await Deno.readTextFile(DOCUMENT);
for (const [block, start, args, end] of document.matchAll(BLOCK)) {
  const wanted = Deno.args.length === 0 ||
    Deno.args.some((word) => args!.includes(word));
  if (!wanted) continue;
  const measured = await output(args!);
  document = document.replace(
    block,
    () => `${start}\n${measured}\n\n${end}`,
  );
  await Deno.writeTextFile(DOCUMENT, document);
}

await new Deno.Command(Deno.execPath(), {
  args: ["fmt", "--quiet", DOCUMENT.pathname],
}).output();
