/**
 * The functions of the C library for the contents of regular files, and for files by
 * their name in an open directory. Only adapters call them, so they are not in
 * `symbols.ts`.
 *
 * Sources: `<fcntl.h>`, `<unistd.h>`, `<sys/stat.h>`, `<dirent.h>`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { type Calls, lazyFunctions } from "./libc.ts";
import { i32, i64, named, pointer } from "./symbols.ts";

const files = {
  // int openat(int dirfd, const char *pathname, int flags, ... /* mode_t mode */)
  openat: i32("i32", "buffer", "i32", "i32"),
  // int unlinkat(int dirfd, const char *pathname, int flags)
  unlinkat: i32("i32", "buffer", "i32"),
  // int mkdirat(int dirfd, const char *pathname, mode_t mode)
  mkdirat: i32("i32", "buffer", "u32"),
  // int renameat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath)
  renameat: i32("i32", "buffer", "i32", "buffer"),
  // int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath,
  //            int flags)
  linkat: i32("i32", "buffer", "i32", "buffer", "i32"),
  // int symlinkat(const char *target, int newdirfd, const char *linkpath)
  symlinkat: i32("buffer", "i32", "buffer"),
  // ssize_t readlinkat(int dirfd, const char *pathname, char *buf, size_t bufsiz)
  readlinkat: i32("i32", "buffer", "buffer", "u32"),
  // int utimensat(int dirfd, const char *pathname, const struct timespec times[2],
  //               int flags)
  utimensat: i32("i32", "buffer", "buffer", "i32"),
  // int futimens(int fd, const struct timespec times[2])
  futimens: i32("i32", "buffer"),
  // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
  pread: i32("i32", "buffer", "u32", "i64"),
  // ssize_t pwrite(int fd, const void *buf, size_t count, off_t offset)
  pwrite: i32("i32", "buffer", "u32", "i64"),
  // off_t lseek(int fd, off_t offset, int whence)
  lseek: i64("i32", "i64", "i32"),
  // int ftruncate(int fd, off_t length)
  ftruncate: i32("i32", "i64"),
  // int fsync(int fd)
  fsync: i32("i32"),
  // DIR *fdopendir(int fd)
  fdopendir: pointer("i32"),
  // struct dirent *readdir(DIR *dirp)
  readdir: pointer("pointer"),
  // int closedir(DIR *dirp)
  closedir: i32("pointer"),
  // openat() as Apple's arm64 takes it: see `variadic.ts`
  openatOnStack: named(
    "openat",
    i32("i32", "buffer", "i32", "u32", "u32", "u32", "u32", "u32", "i32"),
  ),
};

/** The functions, each opened at its first call. */
export const fileCalls: Calls<typeof files> = lazyFunctions([files]);

/** `openat(directory, path, flags, mode)` or -errno, by this system's variadic convention. */
export function openat(
  directory: number,
  path: Uint8Array<ArrayBuffer>,
  flags: number,
  mode = 0,
): number {
  return system().variadicOnStack
    ? fileCalls.openatOnStack(directory, path, flags, 0, 0, 0, 0, 0, mode)
    : fileCalls.openat(directory, path, flags, mode);
}
