/**
 * Runs tests on Linux arm64: with this Deno if the machine is one, else with the
 * arm64 Deno under QEMU's user-mode emulation.
 *
 * Under emulation the kernel is this machine's, and QEMU converts arguments and
 * structs. So the tests check our side of the boundary: the struct layouts, the
 * constants and the calling convention of arm64.
 *
 * ```sh
 * deno task test:arm64                        # the conformance suite
 * deno task test:arm64 tests/property_test.ts # other files, or options
 * ```
 *
 * The first run unpacks Deno (from npm), QEMU and the arm64 C library (from the
 * distribution) into a cache folder. It needs npm and apt, but not root. Later runs
 * need no network. Delete the folder to start from the beginning.
 *
 * @module
 */

const DEFAULT_TESTS = ["tests/conformance_test.ts", "tests/backends/"];

const DENO_PACKAGE = "@deno/linux-arm64-glibc";
const QEMU_PACKAGE = "qemu-user-static";
/** Packages for cross compilers, which a machine of another architecture can unpack. */
const LIBC_PACKAGES = ["libc6-arm64-cross", "libgcc-s1-arm64-cross"];

/** The launcher, which runs the arm64 Deno in its own folder. */
const LAUNCHER = `#!/bin/sh
here=$(dirname "$0")
exec "$here/usr/bin/qemu-aarch64-static" -L "$here/usr/aarch64-linux-gnu" \\
  "$here/package/deno" "$@"
`;

/** The tests cannot run on this machine. The message is one sentence that says why. */
class CannotRunError extends Error {}

if (import.meta.main) {
  try {
    Deno.exit(await runTests(Deno.args.length > 0 ? Deno.args : DEFAULT_TESTS));
  } catch (error) {
    if (!(error instanceof CannotRunError)) throw error;
    console.error(`test:arm64: ${error.message}`);
    Deno.exit(1);
  }
}

async function runTests(tests: string[]): Promise<number> {
  const { os, arch } = Deno.build;
  if (os === "linux" && arch === "aarch64") {
    return await inForeground(Deno.execPath(), ["test", "-A", ...tests]);
  }
  if (os !== "linux") {
    throw new CannotRunError(
      `Cannot emulate Linux arm64 on ${os}: user-mode emulation needs a Linux kernel`,
    );
  }
  const cache = cacheFolder();
  const deno = await prepare(`${cache}/${Deno.version.deno}`);
  return await inForeground(
    deno,
    // Types do not depend on the machine, and checking them in emulation takes a minute.
    ["test", "-A", "--no-check", ...tests],
    // The kernel cannot start Deno.execPath() here, so tests start POLLUX_DENO.
    { DENO_DIR: `${cache}/deno_dir`, POLLUX_DENO: deno, POLLUX_EMULATED: "1" },
  );
}

function cacheFolder(): string {
  const home = Deno.env.get("HOME");
  const caches = Deno.env.get("XDG_CACHE_HOME") || (home && `${home}/.cache`);
  if (!caches) {
    throw new CannotRunError(
      "Cannot choose a cache folder: set XDG_CACHE_HOME or HOME",
    );
  }
  return `${caches}/pollux-arm64`;
}

/** Fills the folder, unless an earlier run has done so, and returns the launcher. */
async function prepare(folder: string): Promise<string> {
  if (!await exists(folder)) {
    console.log(`Preparing the emulation of arm64 in ${folder}, once`);
    const draft = `${folder}.draft-${Deno.pid}`;
    try {
      await Deno.mkdir(`${draft}/packages`, { recursive: true });
      await unpackDeno(draft);
      await unpackQemuAndLibc(draft);
      await Deno.writeTextFile(`${draft}/deno`, LAUNCHER, { mode: 0o755 });
      await Deno.remove(`${draft}/packages`, { recursive: true });
      // The folder exists only when it is complete.
      await Deno.rename(draft, folder);
    } finally {
      if (await exists(draft)) await Deno.remove(draft, { recursive: true });
    }
  }
  return `${folder}/deno`;
}

async function unpackDeno(folder: string): Promise<void> {
  const packages = `${folder}/packages`;
  const run = runner("get the arm64 Deno from npm", packages);
  const wanted = Deno.version.deno;
  const published = JSON.parse(
    await run("npm", "view", DENO_PACKAGE, "versions", "--json"),
  );
  const version = nearestVersion(published, wanted);
  if (version === undefined) {
    throw new CannotRunError(
      `Cannot emulate arm64: ${DENO_PACKAGE} has no release near ${wanted}`,
    );
  }
  console.log(`Deno ${version} for arm64 runs the tests of Deno ${wanted}`);
  await run("npm", "pack", `${DENO_PACKAGE}@${version}`);
  const archive = await find(packages, "deno-linux-arm64-");
  await run("tar", "-xzf", archive, "-C", folder, "package/deno");
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

async function unpackQemuAndLibc(folder: string): Promise<void> {
  const packages = `${folder}/packages`;
  const run = runner("get QEMU and the arm64 C library from apt", packages);
  // A new machine has no package lists, and writing them would need root.
  const apt = [
    "apt-get",
    `-oDir::State::lists=${packages}/lists`,
    `-oDir::Cache=${packages}/cache`,
    "-oAPT::Sandbox::User=", // The sandbox user cannot write here.
    "-oAPT::Update::Error-Mode=any", // By default a failed update is only a warning.
  ] as const;
  await Deno.mkdir(`${packages}/lists/partial`, { recursive: true });
  await Deno.mkdir(`${packages}/cache/archives/partial`, { recursive: true });
  await run(...apt, "update");
  await run(...apt, "download", QEMU_PACKAGE, ...LIBC_PACKAGES);

  for (const name of LIBC_PACKAGES) {
    await run("dpkg-deb", "-x", await find(packages, `${name}_`), folder);
  }
  // Only one program of the package: the other forty take 350 MB.
  const extract =
    'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./usr/bin/qemu-aarch64-static';
  const qemu = await find(packages, `${QEMU_PACKAGE}_`);
  await run("sh", "-c", extract, "sh", qemu, folder);
}

/** Returns a function that runs a program in `folder`, and returns its output. Errors name the purpose. */
function runner(
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
async function inForeground(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<number> {
  const child = new Deno.Command(program, { args: [...args], env }).spawn();
  return (await child.status).code;
}

async function find(folder: string, prefix: string): Promise<string> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name.startsWith(prefix)) return `${folder}/${name}`;
  }
  throw new CannotRunError(`Cannot find ${prefix}… in ${folder}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
