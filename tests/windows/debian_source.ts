/**
 * A source of apt for another release of Debian, from the mirror and with the keys
 * that this machine uses for its own.
 *
 * @module
 */

import { CannotRunError } from "../other_deno.ts";

/** Returns the text of a `.sources` file for a release of Debian. */
export function debianSource(release: string): string {
  const codename = ownRelease();
  for (const stanza of stanzas()) {
    const suites = field(stanza, "Suites")?.split(/\s+/);
    if (codename === undefined || !suites?.includes(codename)) continue;
    const fields = ["URIs", "Components", "Signed-By"]
      .map((name) => [name, field(stanza, name)])
      .filter(([_, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${value}\n`);
    return `Types: deb\nSuites: ${release}\n${fields.join("")}`;
  }
  throw new CannotRunError(
    "Cannot get Wine: this machine has no source of Debian",
  );
}

/** The name of the release that runs here; undefined if it is not one of Debian. */
function ownRelease(): string | undefined {
  const text = readIfExists("/etc/os-release");
  if (!/^ID="?debian"?$/m.test(text)) return undefined;
  return /^VERSION_CODENAME="?(\w+)"?$/m.exec(text)?.[1];
}

/** All sources of this machine, in the format of `.sources` files. */
function stanzas(): string[] {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list"];
  try {
    files.push(
      ...[...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`),
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files.flatMap((file) => {
    const text = readIfExists(file);
    return file.endsWith(".sources")
      ? text.split(/\n\s*\n/)
      : text.split("\n").flatMap(fromOneLine);
  });
}

/** The older format: `deb [signed-by=KEY] URI SUITE COMPONENT…`. */
function fromOneLine(line: string): string[] {
  const match = /^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.+)$/.exec(line);
  if (match === null) return [];
  const [, options = "", uri, suite, components] = match;
  const key = /signed-by=(\S+)/.exec(options)?.[1];
  return [
    `URIs: ${uri}\nSuites: ${suite}\nComponents: ${components}\n` +
    (key === undefined ? "" : `Signed-By: ${key}\n`),
  ];
}

function field(stanza: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(.+)$`, "m").exec(stanza)?.[1];
}

function readIfExists(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
