/**
 * The table of `systems/` for this system. No other file asks for `Deno.build`.
 *
 * @module
 */

import type { Platform, System } from "./system.ts";
import { darwin } from "./systems/darwin.ts";
import { freebsd } from "./systems/freebsd.ts";
import { illumos } from "./systems/illumos.ts";
import { linux } from "./systems/linux.ts";
import { netbsd } from "./systems/netbsd.ts";
import { windows } from "./systems/windows.ts";

/** Whether this is Windows, which has Winsock and no POSIX. */
export const isWindows: boolean = Deno.build.os === "windows";

/**
 * Returns the table of a system.
 *
 * @throws {Deno.errors.NotSupported} without one; the message names the system, and
 *   those that have one
 */
export function systemFor(platform: Platform): System {
  const { os, arch } = platform;
  switch (os) {
    case "linux":
    case "android":
      return linux(arch);
    case "darwin":
      return darwin(arch);
    case "freebsd":
      return freebsd(arch);
    case "netbsd":
      return netbsd(arch);
    case "illumos":
    case "solaris":
      return illumos(arch);
    case "windows":
      return windows(arch);
    default:
      throw new Deno.errors.NotSupported(
        `No readiness call is known for ${os} ${arch}: tried the tables of ` +
          "linux, darwin, freebsd, netbsd, illumos and windows, and none is for " +
          "this system",
      );
  }
}

let current: System | undefined;

/** The table of the system that this program runs on. */
export function system(): System {
  return current ??= systemFor(Deno.build);
}
