/**
 * Names of files as the rules compare them.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

const ROOT = new URL("../../", import.meta.url).href;

/** The path of a file from the root of the package, with slashes on each system. */
export function pathInPackage(filename: string): string {
  return pathToFileURL(filename).href.replace(ROOT, "");
}
