/**
 * Runs tests on Linux arm64: with this Deno where the machine is one, else with
 * the real arm64 Deno under QEMU's user-mode emulation. The kernel stays this
 * machine's, and QEMU converts what passes between the two, so what is proved
 * is our side of the boundary: the struct layouts, the constants and the calling
 * convention of arm64.
 *
 * ```sh
 * deno task test:arm64                        # the conformance suite
 * deno task test:arm64 tests/ffi_test.ts      # the files, and the options, given
 * ```
 *
 * What the emulation needs (Deno from npm; QEMU and the arm64 C library from
 * the distribution) is unpacked once into a folder of its own, and nothing is
 * installed: it takes npm and apt, but not root, and from the second run on no
 * network. Delete the folder to begin anew.
 *
 * @module
 */

const DEFAULT_TESTS = ["tests/conformance_test.ts", "tests/backends/"];

const DENO_PACKAGE = "@deno/linux-arm64-glibc";
const QEMU_PACKAGE = "qemu-user-static";
/** Made for cross compilers, so that a machine of another architecture can have them as they are. */
const LIBC_PACKAGES = ["libc6-arm64-cross", "libgcc-s1-arm64-cross"];

/** Runs the arm64 Deno from the folder in which it lies itself. */
const LAUNCHER = `#!/bin/sh
here=$(dirname "$0")
exec "$here/usr/bin/qemu-aarch64-static" -L "$here/usr/aarch64-linux-gnu" \\
  "$here/package/deno" "$@"
`;

/** A machine on which the tests cannot run; the message is one sentence for the person who asked. */
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
    // Types do not depend on the machine, and to check them in emulation takes a minute.
    ["test", "-A", "--no-check", ...tests],
    // The kernel cannot start Deno.execPath() here: a test that starts Deno takes POLLUX_DENO, where it is set.
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

/** Fills the folder, unless an earlier run has done so; it appears when it is complete, or not at all. Gives the launcher. */
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

/** The newest of `versions` that is in the minor series of `wanted` and not newer: npm gets some architectures late, or not. */
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
  // Package lists of our own: a fresh machine has none, and its own need root.
  const apt = [
    "apt-get",
    `-oDir::State::lists=${packages}/lists`,
    `-oDir::Cache=${packages}/cache`,
    "-oAPT::Sandbox::User=", // who could not write here
    "-oAPT::Update::Error-Mode=any", // else a failed update is a mere warning
  ] as const;
  await Deno.mkdir(`${packages}/lists/partial`, { recursive: true });
  await Deno.mkdir(`${packages}/cache/archives/partial`, { recursive: true });
  await run(...apt, "update");
  await run(...apt, "download", QEMU_PACKAGE, ...LIBC_PACKAGES);

  for (const name of LIBC_PACKAGES) {
    await run("dpkg-deb", "-x", await find(packages, `${name}_`), folder);
  }
  // One program of the package's forty: the others take 350 MB.
  const extract =
    'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./usr/bin/qemu-aarch64-static';
  const qemu = await find(packages, `${QEMU_PACKAGE}_`);
  await run("sh", "-c", extract, "sh", qemu, folder);
}

/** A function that runs a program in `folder` and gives what it printed; `purpose` tells a failure. */
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

/** Runs a program in place of this one, and gives its exit status. */
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
