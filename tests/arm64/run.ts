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

import {
  cacheFolder,
  CannotRunError,
  downloadPackages,
  find,
  inForeground,
  prepareOnce,
  runner,
  unpackDeno,
} from "../other_deno.ts";

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
  const cache = cacheFolder("pollux-arm64");
  const folder = `${cache}/${Deno.version.deno}`;
  await prepareOnce(folder, prepare);
  return await inForeground(
    `${folder}/deno`,
    // Types do not depend on the machine, and checking them in emulation takes a minute.
    ["test", "-A", "--no-check", ...tests],
    // The kernel cannot start Deno.execPath() here, so tests start POLLUX_DENO.
    {
      DENO_DIR: `${cache}/deno_dir`,
      POLLUX_DENO: `${folder}/deno`,
      POLLUX_EMULATED: "1",
    },
  );
}

async function prepare(draft: string): Promise<void> {
  console.log(`Preparing the emulation of arm64 in ${draft}, once`);
  await unpackDeno(DENO_PACKAGE, "deno", draft);
  await unpackQemuAndLibc(draft);
  await Deno.writeTextFile(`${draft}/deno`, LAUNCHER, { mode: 0o755 });
}

async function unpackQemuAndLibc(folder: string): Promise<void> {
  const packages = `${folder}/packages`;
  await downloadPackages(packages, [QEMU_PACKAGE, ...LIBC_PACKAGES]);
  const run = runner("unpack QEMU and the arm64 C library", packages);
  for (const name of LIBC_PACKAGES) {
    await run("dpkg-deb", "-x", await find(packages, `${name}_`), folder);
  }
  // Only one program of the package: the other forty take 350 MB.
  const extract =
    'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./usr/bin/qemu-aarch64-static';
  const qemu = await find(packages, `${QEMU_PACKAGE}_`);
  await run("sh", "-c", extract, "sh", qemu, folder);
  await Deno.remove(packages, { recursive: true });
}
