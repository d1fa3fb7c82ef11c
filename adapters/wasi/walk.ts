/**
 * Follows a guest's path without ever leaving the directory that it starts in.
 *
 * The kernel follows no link here. Each component is opened on its own, relative to
 * the one before and without following links (openat, O_NOFOLLOW). The target of a
 * link is read and followed in the same way. ".." returns to the parent passed on
 * the way, which is still open. So no rename or move by any process, at any time,
 * leads out. An absolute path and a ".." out of the directory are EPERM, as in
 * wasmtime.
 *
 * Sources: openat(2), path_resolution(7); cap-std, "cap-primitives/src/fs/manually".
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { close } from "../../backends/ffi/descriptor.ts";
import type { CString } from "../../backends/ffi/file_status.ts";
import { openAt, readLinkAt } from "../../backends/ffi/files.ts";
import {
  EINVAL,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  EPERM,
  Refusal,
} from "../../backends/wasi/errno.ts";

/** PATH_MAX of `<limits.h>` on Linux, which counts the NUL at the end. */
export const MOST_PATH_BYTES = 4096;

/** The most links on one path, as on Linux (path_resolution(7)). */
const MOST_LINKS = 40;

/** The most directories that one path descends into: each is open during the call. */
const DEEPEST = 256;

/** A path that has been followed up to its last component. */
export class Walk implements Disposable {
  readonly #base: number;
  /** The open directories below the base, outermost first. */
  readonly #passed: number[] = [];
  /** The components to follow, next one last. Each character is a byte. */
  readonly #ahead: string[] = [];
  #links = 0;
  #name = ".";
  /** Whether the last component must be a directory, because a slash follows it. */
  directoryOnly = false;

  /**
   * Follows a path up to its last component.
   *
   * @param base A directory of the host
   * @param path The bytes of the path
   * @throws {Refusal} ENOENT, EINVAL, ENAMETOOLONG, ELOOP, and EPERM if it leads out
   * @throws {SystemError} if a component before the last is missing or no directory
   */
  constructor(base: number, path: Uint8Array) {
    this.#base = base;
    try {
      this.#add(path);
      this.#advance();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The directory that contains the last component. */
  get directory(): number {
    return this.#passed.at(-1) ?? this.#base;
  }

  /** The last component: a name, or "." for the directory itself. */
  get name(): CString {
    return cString(this.#name);
  }

  /**
   * If the last component is a link, follows its target up to the last component.
   *
   * @returns whether it was a link
   * @throws as the constructor
   */
  follow(): boolean {
    const target = readLinkAt(this.directory, this.name);
    if (target === undefined) return false;
    if (++this.#links > MOST_LINKS) throw new Refusal(ELOOP);
    this.#add(target);
    this.#advance();
    return true;
  }

  /** Whether the last component is a link. */
  get isLink(): boolean {
    return readLinkAt(this.directory, this.name) !== undefined;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#passed.splice(0)) close(fd);
  }

  /** Inserts a path before the remaining components. */
  #add(path: Uint8Array): void {
    const text = String.fromCharCode(...checked(path));
    const components = text.split("/").filter((name) => name !== "");
    if (this.#ahead.length === 0 && text.endsWith("/")) {
      this.directoryOnly = true;
    }
    this.#ahead.push(...components.reverse());
  }

  #advance(): void {
    for (;;) {
      const component = this.#ahead.pop()!;
      const last = this.#ahead.length === 0;
      if (component === "..") this.#leave();
      else if (last) {
        this.#name = component;
        return;
      } else if (component !== ".") this.#enter(component);
      if (last) {
        this.#name = ".";
        return;
      }
    }
  }

  #enter(component: string): void {
    const { O_DIRECTORY, O_PATH } = system().constants;
    const name = cString(component);
    let fd: number;
    try {
      fd = openAt(this.directory, name, O_DIRECTORY | (O_PATH ?? 0));
    } catch (error) {
      const target = readLinkAt(this.directory, name);
      if (target === undefined) throw error;
      if (++this.#links > MOST_LINKS) throw new Refusal(ELOOP);
      this.#add(target);
      return;
    }
    this.#passed.push(fd);
    if (this.#passed.length > DEEPEST) throw new Refusal(ENAMETOOLONG);
  }

  #leave(): void {
    const fd = this.#passed.pop();
    if (fd === undefined) throw new Refusal(EPERM);
    close(fd);
  }
}

/** @throws {Refusal} if the path is empty, too long, absolute, or contains NUL */
function checked(path: Uint8Array): Uint8Array {
  if (path.length === 0) throw new Refusal(ENOENT);
  if (path.length >= MOST_PATH_BYTES) throw new Refusal(ENAMETOOLONG);
  if (path.includes(0)) throw new Refusal(EINVAL);
  if (isAbsolute(path)) throw new Refusal(EPERM);
  return path;
}

/** Whether a path starts with a slash. */
export function isAbsolute(path: Uint8Array): boolean {
  return path[0] === 0x2f;
}

function cString(name: string): CString {
  const bytes = new Uint8Array(new ArrayBuffer(name.length + 1));
  for (let index = 0; index < name.length; index++) {
    bytes[index] = name.charCodeAt(index);
  }
  return bytes;
}
