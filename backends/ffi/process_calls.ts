/**
 * The functions of the C library for children, and for the terminals that they run in.
 * Only adapters call them, so they are not in `symbols.ts`.
 *
 * Sources: `<spawn.h>`, whose functions return error numbers, `<signal.h>`,
 * `<sys/wait.h>`, `<stdlib.h>`, `<termios.h>`.
 *
 * @module
 */

import { type Calls, lazyFunctions } from "./libc.ts";
import { i32, named, optional, pointer } from "./symbols.ts";

const processes = {
  // int posix_spawn(pid_t *pid, const char *path,
  //                 const posix_spawn_file_actions_t *file_actions,
  //                 const posix_spawnattr_t *attrp, char *const argv[],
  //                 char *const envp[])
  posix_spawn: optional(
    i32("buffer", "buffer", "buffer", "buffer", "buffer", "u64"),
  ),
  posix_spawnp: optional(
    i32("buffer", "buffer", "buffer", "buffer", "buffer", "u64"),
  ),
  // int posix_spawn_file_actions_init(posix_spawn_file_actions_t *file_actions)
  posix_spawn_file_actions_init: optional(i32("buffer")),
  posix_spawn_file_actions_destroy: optional(i32("buffer")),
  // int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *file_actions,
  //                                      int fildes, const char *path, int oflag,
  //                                      mode_t mode)
  posix_spawn_file_actions_addopen: optional(
    i32("buffer", "i32", "buffer", "i32", "u32"),
  ),
  // int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *file_actions,
  //                                      int fildes, int newfildes)
  posix_spawn_file_actions_adddup2: optional(i32("buffer", "i32", "i32")),
  // int posix_spawn_file_actions_addfchdir_np(
  //   posix_spawn_file_actions_t *file_actions, int fildes)
  posix_spawn_file_actions_addfchdir_np: optional(i32("buffer", "i32")),
  // int posix_spawn_file_actions_addclosefrom_np(
  //   posix_spawn_file_actions_t *file_actions, int from), since glibc 2.34
  posix_spawn_file_actions_addclosefrom_np: optional(i32("buffer", "i32")),
  // int posix_spawnattr_init(posix_spawnattr_t *attr)
  posix_spawnattr_init: optional(i32("buffer")),
  posix_spawnattr_destroy: optional(i32("buffer")),
  // int posix_spawnattr_setflags(posix_spawnattr_t *attr, short flags)
  posix_spawnattr_setflags: optional(i32("buffer", "i16")),
  // int posix_spawnattr_setsigdefault(posix_spawnattr_t *attr,
  //                                   const sigset_t *sigdefault)
  posix_spawnattr_setsigdefault: optional(i32("buffer", "buffer")),
  posix_spawnattr_setsigmask: optional(i32("buffer", "buffer")),
  // int sigemptyset(sigset_t *set)
  sigemptyset: optional(i32("buffer")),
  sigfillset: optional(i32("buffer")),
  // pid_t waitpid(pid_t pid, int *wstatus, int options)
  waitpid: i32("i32", "buffer", "i32"),
  // int kill(pid_t pid, int sig)
  kill: i32("i32", "i32"),
  // int syscall(SYS_pidfd_open, pid_t pid, unsigned int flags)
  pidfd_open: named("syscall", optional(i32("i64", "i32", "u32"))),
  // int syscall(SYS_pidfd_send_signal, int pidfd, int sig, siginfo_t *info,
  //             unsigned int flags)
  pidfd_send_signal: named(
    "syscall",
    optional(i32("i64", "i32", "i32", "pointer", "u32")),
  ),
  // int posix_openpt(int flags)
  posix_openpt: optional(i32("i32")),
  // int grantpt(int fd)
  grantpt: optional(i32("i32")),
  // int unlockpt(int fd)
  unlockpt: optional(i32("i32")),
  // extern char **environ
  environ: optional({ type: "pointer" } as const),
  // char ***_NSGetEnviron(void), of macOS: crt_externs.h
  _NSGetEnviron: optional(pointer()),
};

/** The functions, each opened at its first call. */
export const processCalls: Calls<typeof processes> = lazyFunctions([
  processes,
]);
