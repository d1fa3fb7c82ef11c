/**
 * Deno for Windows under Wine: gets both, once, and says how they are run.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import {
  cacheFolder,
  CannotRunError,
  downloadPackages,
  exists,
  find,
  inForeground,
  prepareOnce,
  runner,
  unpackDeno,
} from "../other_deno.ts";
import { debianSource } from "./debian_source.ts";

/** A release of Debian whose Wine runs Deno: that of the one before, Wine 8, does not. */
const DEBIAN = "trixie";
const DENO_PACKAGE = "@deno/win32-x64";
const DENO = "Z:\\package\\deno.exe";

/** Wine, the libraries that it loads, and the zlib of Windows for Wine's user32.dll. */
const WINE = [
  ..."wine64 libwine libz-mingw-w64".split(" "),
  ..."libc6 libgcc-s1 libunwind8 liblzma5 zlib1g".split(" "),
];
/**
 * Without FreeType each program prints twelve lines of complaints. With it, Wine
 * cannot make its drive: so it comes last.
 */
const FREETYPE = "libfreetype6 libpng16-16t64 libbrotli1 libbz2-1.0".split(" ");

const ZLIB = "usr/x86_64-w64-mingw32/lib/zlib1.dll";
const DLLS = "usr/lib/x86_64-linux-gnu/wine/x86_64-windows";
const SYSTEM32 = "home/.wine/drive_c/windows/system32";

const project = fileURLToPath(new URL("../..", import.meta.url));
const wine = fileURLToPath(new URL("wine.sh", import.meta.url));

/**
 * Prepares Deno under Wine, unless an earlier run has done so, and returns the command
 * that runs it, without the arguments of Deno.
 *
 * @param npm Deno's folder for packages of npm: under Wine it finds no other host
 */
export async function denoUnderWine(
  npm: string,
): Promise<[program: string, ...args: string[]]> {
  const { os, arch } = Deno.build;
  if (os !== "linux" || arch !== "x86_64") {
    throw new CannotRunError(`Cannot run Wine on ${os} ${arch}`);
  }
  const cache = cacheFolder("pollux-windows");
  const folder = `${cache}/${Deno.version.deno}-${DEBIAN}`;
  await prepareOnce(folder, prepare);
  return [wine, folder, project, npm, DENO];
}

async function prepare(folder: string): Promise<void> {
  console.log(`Preparing Wine in ${folder}, once`);
  await checkNamespaces(folder);
  const root = `${folder}/root`;
  const packages = `${folder}/packages`;
  await makeRoot(root);
  await download(packages);
  await unpack(WINE, packages, root);
  await unpackDeno(DENO_PACKAGE, "deno.exe", root);
  await makeDrive(folder, root);
  await unpack(FREETYPE, packages, root);
  await Deno.remove(packages, { recursive: true });
  const status = await inForeground(wine, [
    folder,
    project,
    "",
    DENO,
    "--version",
  ]);
  if (status !== 0) {
    throw new CannotRunError(`Cannot run Deno under Wine: status ${status}`);
  }
}

/** Fails early where the kernel gives no namespaces. */
async function checkNamespaces(folder: string): Promise<void> {
  const run = runner("make mount and process namespaces", folder);
  const user = Deno.uid() === 0 ? [] : ["--map-root-user"];
  await run("unshare", ...user, "--mount", "--pid", "--fork", "true");
}

async function makeRoot(root: string): Promise<void> {
  for (const name of ["dev", "home", "proc", "project", "sys", "tmp"]) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
  }
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    await Deno.symlink(`usr/${name}`, `${root}/${name}`);
  }
}

async function download(packages: string): Promise<void> {
  await Deno.mkdir(packages);
  const sources = `${packages}/debian.sources`;
  await Deno.writeTextFile(sources, debianSource(DEBIAN));
  await downloadPackages(packages, [...WINE, ...FREETYPE], [
    `-oDir::Etc::SourceList=${sources}`,
    "-oDir::Etc::SourceParts=/dev/null",
    // Nothing counts as installed: these packages are of another release.
    "-oDir::State::status=/dev/null",
  ]);
}

async function unpack(
  names: readonly string[],
  packages: string,
  root: string,
): Promise<void> {
  const run = runner("unpack Wine", packages);
  const extract = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ' +
    "--keep-directory-symlink --exclude=./usr/share/doc " +
    "--exclude=./usr/share/man --exclude=./usr/share/locale";
  for (const name of names) {
    const archive = await find(packages, `${name}_`);
    await run("sh", "-c", extract, "sh", archive, root);
  }
}

/** Makes Wine's drive C:. */
async function makeDrive(folder: string, root: string): Promise<void> {
  // Wine looks here for a DLL until there is a drive, then there.
  await Deno.copyFile(`${root}/${ZLIB}`, `${root}/${DLLS}/zlib1.dll`);
  // Its status is a failure: it also wants to install a part for 32 bits.
  const env = { POLLUX_KEEP: "1" };
  await inForeground(wine, [folder, project, "", "wineboot", "-i"], env);
  if (!await exists(`${root}/${SYSTEM32}`)) {
    throw new CannotRunError("Cannot make Wine's drive C:");
  }
  await Deno.copyFile(`${root}/${ZLIB}`, `${root}/${SYSTEM32}/zlib1.dll`);
}
