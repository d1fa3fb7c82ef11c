/** The packages of npm that tests import, for a Deno that cannot download them. */

import { inForeground } from "../other_deno.ts";

/**
 * Has this Deno download the packages that test files import, and returns its folder
 * of packages. A package that cannot be had is an error of the tests themselves.
 *
 * The tests run without the lock file. So they need the versions of each package, which
 * Deno does not download for packages of the lock file.
 */
export async function npmFolder(files: readonly string[]): Promise<string> {
  const deno = Deno.execPath();
  const options = ["--quiet", "--no-check", "--no-lock"];
  await inForeground(deno, ["cache", ...options, ...files]);
  const { stdout } = await new Deno.Command(deno, { args: ["info", "--json"] })
    .output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  await Deno.mkdir(npmCache, { recursive: true });
  return npmCache;
}
