/**
 * Runs tests on Windows: with this Deno if the machine runs it, else with the Deno
 * for Windows under Wine.
 *
 * Under Wine the kernel is this machine's, and Wine implements Winsock and AFD on
 * it. So the tests check our side of the boundary: struct layouts, constants, calls
 * and the use of their results. They prove nothing about Windows itself.
 *
 * ```sh
 * deno task test:windows                # the default suites, side by side
 * deno task test:windows tests/reactor/ # other files, or options
 * deno task test:windows --deno run -A examples/demo.ts # another command of Deno
 * ```
 *
 * The first run unpacks Deno (from npm) and Wine (from Debian) into a cache folder. It
 * needs npm, apt and namespaces: root, or a kernel that gives them to users. Later runs
 * need no network. Delete the folder to start from the beginning. Where Wine cannot
 * run, the reason is printed, and one test counts as ignored.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { CannotRunError, inForeground, withLines } from "../other_deno.ts";
import { ignoredSummary } from "./ignored.ts";
import { npmFolder } from "./npm.ts";
import { runSideBySide } from "./side_by_side.ts";
import { defaultSuites } from "./suites.ts";
import { denoUnderWine } from "./wine.ts";

/** Types do not depend on the machine, and Wine is slow. */
const TEST = ["test", "--no-check", "--no-lock"];

/**
 * Milliseconds after which tests hang. Then the last line of a suite shows where. The
 * gate has ten minutes for Wine; on Windows a refused connect alone takes two seconds.
 */
const LIMIT = (Deno.build.os === "windows" ? 30 : 8) * 60_000;

/** The exit status of `wine.sh` after a crash of wineserver. The tests have no result then. */
const SERVER_ENDED = 75;

const project = fileURLToPath(new URL("../..", import.meta.url));

if (import.meta.main) {
  try {
    Deno.exit(
      Deno.args.length > 0 ? await runAsAsked(Deno.args) : await runSuites(),
    );
  } catch (error) {
    if (!(error instanceof CannotRunError)) throw error;
    console.log(`test:windows: ${error.message}`);
    console.log("ok | 0 passed | 0 failed | 1 ignored");
  }
}

/** Runs tests, or another command of Deno, and returns the exit status. */
async function runAsAsked(args: readonly string[]): Promise<number> {
  const [program, ...before] = await denoOfWindows();
  if (args[0] === "--deno") {
    return await inForeground(program, [...before, ...args.slice(1)]);
  }
  let output = "";
  const all = [...before, ...TEST, "-A", ...args];
  const status = await withLines(program, all, (line) => {
    output += `${line}\n`;
    console.log(line);
  }, LIMIT);
  console.log(ignoredSummary(output));
  return status;
}

/** Runs the default suites, and returns 0 if all tests passed. */
async function runSuites(): Promise<number> {
  const [program, ...before] = await denoOfWindows();
  const end = performance.now() + LIMIT;
  const passed = await runSideBySide(
    defaultSuites(project),
    async ({ permissions, files }, onLine) => {
      const all = [...before, ...TEST, ...permissions, ...files];
      const run = (): Promise<number> =>
        withLines(program, all, onLine, end - performance.now());
      const status = await run();
      return status === SERVER_ENDED ? await run() : status;
    },
  );
  return passed ? 0 : 1;
}

/** The command that runs the Deno of Windows in the folder of the package. */
async function denoOfWindows(): Promise<[program: string, ...args: string[]]> {
  if (Deno.build.os === "windows") return [Deno.execPath()];
  const files = defaultSuites(project).flatMap(({ files }) =>
    files.map((file) => `${project}/${file}`)
  );
  return await denoUnderWine(await npmFolder(files));
}
