/**
 * Deno for another system or processor, fetched once into a cache folder, so that
 * tests can run there by an emulator.
 *
 * @module
 */

/** The tests cannot run on this machine. The message is one sentence that says why. */
export class CannotRunError extends Error {}

/** The folder in which a kind of emulation is kept between runs. */
export function cacheFolder(name: string): string {
  const home = Deno.env.get("HOME");
  const caches = Deno.env.get("XDG_CACHE_HOME") || (home && `${home}/.cache`);
  if (!caches) {
    throw new CannotRunError(
      "Cannot choose a cache folder: set XDG_CACHE_HOME or HOME",
    );
  }
  return `${caches}/${name}`;
}

/** Fills a folder, unless an earlier run has done so. It exists only when it is complete. */
export async function prepareOnce(
  folder: string,
  fill: (draft: string) => Promise<void>,
): Promise<void> {
  if (await exists(folder)) return;
  const draft = `${folder}.draft-${Deno.pid}`;
  try {
    await Deno.mkdir(draft, { recursive: true });
    await fill(draft);
    await Deno.rename(draft, folder);
  } catch (error) {
    // Another run may have been faster.
    if (!await exists(folder)) throw error;
  } finally {
    if (await exists(draft)) await Deno.remove(draft, { recursive: true });
  }
}

/**
 * Unpacks the Deno of a package of npm, in the version that is nearest to this one.
 *
 * @param name The package, as in `@deno/win32-x64`
 * @param program The program in it
 * @param folder Where it is unpacked, below `package/`
 */
export async function unpackDeno(
  name: string,
  program: string,
  folder: string,
): Promise<void> {
  const run = runner(`get ${name} from npm`, folder);
  const wanted = Deno.version.deno;
  const published = JSON.parse(
    await run("npm", "view", name, "versions", "--json"),
  );
  const version = nearestVersion(published, wanted);
  if (version === undefined) {
    throw new CannotRunError(
      `Cannot run the tests elsewhere: ${name} has no release near ${wanted}`,
    );
  }
  console.log(`${program} ${version} of ${name} runs the tests`);
  await run("npm", "pack", `${name}@${version}`);
  const archive = await find(folder, name.slice(1).replace("/", "-"));
  await run("tar", "-xzf", archive, `package/${program}`);
  await Deno.remove(archive);
}

/** The newest version in the series of `wanted` that is not newer: npm lacks some releases. */
function nearestVersion(
  versions: readonly string[],
  wanted: string,
): string | undefined {
  const [series, newest] = split(wanted);
  return versions
    .filter((version) => split(version)[0] === series)
    .filter((version) => split(version)[1] <= newest)
    .sort((a, b) => split(b)[1] - split(a)[1])[0];
}

function split(version: string): [series: string, patch: number] {
  const dot = version.lastIndexOf(".");
  return [version.slice(0, dot), Number(version.slice(dot + 1))];
}

/**
 * Downloads packages of Debian or Ubuntu into a folder, with package lists of its own.
 * A new machine has none, and writing them would need root.
 *
 * @param options Further options of apt
 */
export async function downloadPackages(
  folder: string,
  packages: readonly string[],
  options: readonly string[] = [],
): Promise<void> {
  const run = runner(`get ${packages.join(", ")} from apt`, folder);
  const apt = [
    "apt-get",
    `-oDir::State::lists=${folder}/lists`,
    `-oDir::Cache=${folder}/cache`,
    "-oAPT::Sandbox::User=", // The sandbox user cannot write here.
    "-oAPT::Update::Error-Mode=any", // By default a failed update is only a warning.
    ...options,
  ] as const;
  await Deno.mkdir(`${folder}/lists/partial`, { recursive: true });
  await Deno.mkdir(`${folder}/cache/archives/partial`, { recursive: true });
  await run(...apt, "update");
  await run(...apt, "download", ...packages);
}

/** Returns a function that runs a program in `folder`, and returns its output. Errors name the purpose. */
export function runner(
  purpose: string,
  folder: string,
): (program: string, ...args: string[]) => Promise<string> {
  return async (program, ...args) => {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args,
      cwd: folder,
      stdin: "null",
    }).output().catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new CannotRunError(`Cannot ${purpose}: no ${program} here`);
    });
    if (success) return new TextDecoder().decode(stdout);
    const complaint = new TextDecoder().decode(stderr).trim();
    throw new CannotRunError(
      `Cannot ${purpose}: ${program} failed\n${complaint}`,
    );
  };
}

/** Runs a program in the foreground, and returns its exit status. */
export async function inForeground(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<number> {
  const child = new Deno.Command(program, { args: [...args], env }).spawn();
  return (await child.status).code;
}

/**
 * As `inForeground()`, and calls a function with each line of output and of errors.
 *
 * @param limit Milliseconds after which the program is ended
 */
export async function withLines(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
  limit: number,
): Promise<number> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // unshare(1) ignores SIGTERM while its child runs.
  const watchdog = setTimeout(() => child.kill("SIGKILL"), limit);
  const streams = [child.stdout, child.stderr];
  await Promise.all(streams.map((stream) => eachLine(stream, onLine)));
  clearTimeout(watchdog);
  return (await child.status).code;
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onLine: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop()!;
    lines.forEach(onLine);
  }
  if (rest !== "") onLine(rest);
}

/** The one file of a folder whose name starts with `prefix`. */
export async function find(folder: string, prefix: string): Promise<string> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name.startsWith(prefix)) return `${folder}/${name}`;
  }
  throw new CannotRunError(`Cannot find ${prefix}… in ${folder}`);
}

/** Whether a path exists. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
