/**
 * `posix_spawn_file_actions_t` and `posix_spawnattr_t`, which stay opaque here: each
 * system and C library has layouts of its own.
 *
 * Sources: posix_spawn(3), `<spawn.h>`. The larger struct has 336 bytes in glibc and
 * musl, and is a pointer in the BSDs.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { cString } from "../../backends/ffi/calls.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import { processCalls } from "../../backends/ffi/process_calls.ts";
import { numbers, required } from "./numbers.ts";

/** Room for either struct, and for a `sigset_t`. */
export const ROOM = 1024;

/** @throws {SystemError} if a function of <spawn.h> has returned an error number */
function check(errno: number, call: string): void {
  if (errno !== 0) throw systemError(call, Math.abs(errno));
}

function room(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(ROOM));
}

/** Actions that the child does with its descriptors, in their order, before exec. */
export class FileActions implements Disposable {
  /** The struct. */
  readonly bytes: Uint8Array<ArrayBuffer> = room();

  /** Begins with no action. */
  constructor() {
    const call = "posix_spawn_file_actions_init";
    check(required(processCalls[call], call)(this.bytes), call);
  }

  /** Opens a path for both directions, as a number. */
  open(fd: number, path: string): void {
    const call = "posix_spawn_file_actions_addopen";
    const { O_RDWR } = system().constants;
    const name = cString(path);
    check(processCalls[call]!(this.bytes, fd, name, O_RDWR, 0), call);
  }

  /** Duplicates a descriptor. It stays open after exec, even with its own number. */
  dup2(fd: number, target: number): void {
    const call = "posix_spawn_file_actions_adddup2";
    check(processCalls[call]!(this.bytes, fd, target), call);
  }

  /**
   * Changes the working directory to an open one.
   *
   * @throws {Deno.errors.NotSupported} if the C library cannot do it: glibc before 2.29
   */
  changeDirectory(fd: number): void {
    const call = "posix_spawn_file_actions_addfchdir_np";
    check(required(processCalls[call], call)(this.bytes, fd), call);
  }

  /**
   * Closes all descriptors from a number on, also those that are not close-on-exec. It
   * has no effect if the C library cannot do it: glibc before 2.34, musl, macOS.
   */
  closeFrom(fd: number): void {
    const call = "posix_spawn_file_actions_addclosefrom_np";
    const closes = processCalls[call];
    if (closes !== null) check(closes(this.bytes, fd), call);
  }

  /** Frees the memory of the actions. */
  [Symbol.dispose](): void {
    processCalls.posix_spawn_file_actions_destroy!(this.bytes);
  }
}

/** How the child begins: with default signals, and in a session of its own if asked for. */
export class SpawnAttributes implements Disposable {
  /** The struct. */
  readonly bytes: Uint8Array<ArrayBuffer> = room();

  /**
   * Resets the signals: Deno ignores SIGPIPE, and a child would, too.
   *
   * @param isSessionLeader Whether the child gets a session, for a terminal
   */
  constructor(isSessionLeader: boolean) {
    const calls = processCalls;
    check(calls.posix_spawnattr_init!(this.bytes), "posix_spawnattr_init");
    const set = room();
    calls.sigfillset!(set);
    calls.posix_spawnattr_setsigdefault!(this.bytes, set);
    calls.sigemptyset!(set);
    calls.posix_spawnattr_setsigmask!(this.bytes, set);
    const { POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETSIGMASK } = numbers();
    const session = isSessionLeader ? numbers().POSIX_SPAWN_SETSID! : 0;
    const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | session;
    const call = "posix_spawnattr_setflags";
    check(calls[call]!(this.bytes, flags), call);
  }

  /** Frees the memory of the attributes. */
  [Symbol.dispose](): void {
    processCalls.posix_spawnattr_destroy!(this.bytes);
  }
}
