/**
 * Prints diagnoses to standard error: a line for each, and below it the stack of a stall.
 *
 * @module
 */

import { formatAddress } from "../../backends/ffi/socket_address.ts";
import type { FileDescription } from "../../backends/ffi/file_description.ts";
import type { Diagnosis, Spin, Stall } from "./diagnosis.ts";

/** Prints a diagnosis. */
export function printDiagnosis(diagnosis: Diagnosis): void {
  console.error(
    diagnosis.kind === "spin" ? spinText(diagnosis) : stallText(diagnosis),
  );
}

function spinText({ descriptor }: Spin): string {
  const { fd, file, callback, idle } = descriptor;
  return `Spin: descriptor ${fd} (${fileText(file)}) was ready ${idle} times ` +
    `in a row, while ${callback || "its callback"} moved no data`;
}

function stallText(
  { callback, fd, milliseconds, count, stack }: Stall,
): string {
  const of = fd === null ? "" : ` of descriptor ${fd}`;
  const times = count === 1 ? "" : `, ${count} times since the last report`;
  const frames = (stack ?? []).map((frame) => `\n    at ${frame}`).join("");
  return `Stall: ${callback}${of} took ${milliseconds.toFixed(1)} ms` +
    times + frames;
}

/** Names a file in a few words, as in "socket 127.0.0.1:80 to 127.0.0.1:4711". */
export function fileText(file: FileDescription): string {
  const { kind, localAddress, remoteAddress, path } = file;
  const parts: string[] = [kind];
  if (path !== null) parts.push(path);
  const local = localAddress === null ? "" : formatAddress(localAddress);
  const remote = remoteAddress === null ? "" : formatAddress(remoteAddress);
  // The address of an unnamed Unix socket is empty.
  if (local !== "") parts.push(local);
  if (remote !== "") parts.push("to", remote);
  return parts.join(" ");
}
