/**
 * A guest's paths: none of them leads out of the directory that it was given.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { close, openFile } from "../../../backends/ffi/mod.ts";
import { denoProgram, openFds, test } from "../../util.ts";
import {
  FILETYPE_DIRECTORY,
  FILETYPE_REGULAR_FILE,
  FILETYPE_SYMBOLIC_LINK,
  FSTFLAGS_ATIM,
  FSTFLAGS_MTIM,
  LOOKUPFLAGS_SYMLINK_FOLLOW,
  OFLAGS_CREAT,
  OFLAGS_DIRECTORY,
  OFLAGS_EXCL,
  OFLAGS_TRUNC,
} from "../../../backends/wasi/abi.ts";
import { wasiErrnoName } from "../../../backends/wasi/errno.ts";
import { WasiHost } from "../../../adapters/wasi/mod.ts";
import {
  RIGHTS_FD_READ,
  RIGHTS_FD_WRITE,
} from "../../../adapters/wasi/rights.ts";
import { assemble, op } from "./assembler.ts";
import { type GuestProgram, runProgram } from "./guest_program.ts";

const FOLLOW = LOOKUPFLAGS_SYMLINK_FOLLOW;
const READ = RIGHTS_FD_READ;
const WRITE = RIGHTS_FD_READ | RIGHTS_FD_WRITE;

/** A guest's calls on paths below descriptor 3, with texts for paths and names for errors. */
class Shell {
  constructor(readonly program: GuestProgram) {}

  /** Where a path is, and how long it is. */
  path(path: string): [pointer: number, length: number] {
    const bytes = new TextEncoder().encode(path);
    const at = this.program.allocate(bytes.length);
    this.program.bytes.set(bytes, at);
    return [at, bytes.length];
  }

  call(name: string, ...args: unknown[]): string {
    return wasiErrnoName(this.program.call(name, ...args));
  }

  /** `path_open`: its number, or its error's name. */
  open(
    path: string,
    { lookup = 0, oflags = 0, rights = READ, fdflags = 0, base = 3 } = {},
  ): number | string {
    const stored = this.program.allocate(4);
    const args = [...this.path(path), oflags, rights, 0n, fdflags, stored];
    const errno = this.call("path_open", base, lookup, ...args);
    return errno === "ESUCCESS"
      ? this.program.view.getUint32(stored, true)
      : errno;
  }

  read(fd: number): string {
    const { iovecs, pointers } = this.program.buffers(64);
    const stored = this.program.allocate(4);
    this.program.must("fd_read", fd, iovecs, 1, stored);
    const count = this.program.view.getUint32(stored, true);
    return this.program.text(pointers[0]!, count);
  }

  /** The content of the file, or the name of the error. */
  contents(path: string, lookup = 0): string {
    const fd = this.open(path, { lookup });
    if (typeof fd === "string") return fd;
    const text = this.read(fd);
    this.program.must("fd_close", fd);
    return text;
  }

  symlink(target: string, path: string): string {
    return this.call(
      "path_symlink",
      ...this.path(target),
      3,
      ...this.path(path),
    );
  }

  rename(from: string, to: string, base = 3): string {
    const old = this.path(from);
    return this.call("path_rename", base, ...old, base, ...this.path(to));
  }

  stat(path: string, lookup = 0): { filetype: number; size: number } | string {
    const at = this.program.allocate(64);
    const errno = this.call(
      ...["path_filestat_get", 3, lookup] as const,
      ...this.path(path),
      at,
    );
    if (errno !== "ESUCCESS") return errno;
    const { view } = this.program;
    return {
      filetype: view.getUint8(at + 16),
      size: Number(view.getBigUint64(at + 32, true)),
    };
  }

  readlink(path: string): string {
    const at = this.program.allocate(64);
    const stored = this.program.allocate(4);
    const args = [...this.path(path), at, 64, stored];
    const errno = this.call("path_readlink", 3, ...args);
    return errno === "ESUCCESS"
      ? this.program.text(at, this.program.view.getUint32(stored, true))
      : errno;
  }

  /** `fd_readdir`, in pieces of so many bytes. */
  list(fd = 3, room = 4096): string[] {
    const at = this.program.allocate(room);
    const stored = this.program.allocate(4);
    const names: string[] = [];
    for (let cookie = 0n;;) {
      this.program.must("fd_readdir", fd, at, room, cookie, stored);
      const used = this.program.view.getUint32(stored, true);
      const before = cookie;
      for (let offset = 0; offset + 24 <= used;) {
        const { view } = this.program;
        const length = view.getUint32(at + offset + 16, true);
        if (offset + 24 + length > used) break;
        names.push(this.program.text(at + offset + 24, length));
        cookie = view.getBigUint64(at + offset, true);
        offset += 24 + length;
      }
      if (used < room) return names.toSorted();
      assert(cookie > before, "no entry fits");
    }
  }
}

/** A directory with a file `secret`, and in it `inside`, which is the guest's. */
function withDirectory(
  body: (shell: Shell, root: string, inside: string) => void,
): () => Promise<void> {
  return async () => {
    const root = await Deno.makeTempDir();
    const inside = `${root}/inside`;
    await Deno.mkdir(`${inside}/sub`, { recursive: true });
    await Deno.writeTextFile(`${root}/secret`, "outside");
    await Deno.writeTextFile(`${inside}/file`, "inside");
    try {
      runProgram(
        { preopens: { "/": inside } },
        (program) => body(new Shell(program), root, inside),
        16,
      );
      assertEquals(await Deno.readTextFile(`${root}/secret`), "outside");
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  };
}

test(
  "path_open: a link is ELOOP unless the program asks to follow it",
  withDirectory((shell) => {
    assertEquals(shell.symlink("file", "link"), "ESUCCESS");
    assertEquals(shell.contents("link"), "ELOOP");
    assertEquals(shell.contents("link", FOLLOW), "inside");
  }),
);

test(
  "path_open: a link out of the directory is refused, followed or not",
  withDirectory((shell) => {
    assertEquals(shell.symlink("../secret", "link"), "ESUCCESS");
    assertEquals(shell.contents("link"), "ELOOP");
    assertEquals(shell.contents("link", FOLLOW), "EPERM");
  }),
);

test(
  "path_open: an absolute link made by the host is refused",
  withDirectory((shell, root, inside) => {
    Deno.symlinkSync(`${root}/secret`, `${inside}/link`);
    Deno.symlinkSync(root, `${inside}/up`);
    assertEquals(shell.contents("link"), "ELOOP");
    assertEquals(shell.contents("link", FOLLOW), "EPERM");
    assertEquals(shell.contents("up/secret", FOLLOW), "EPERM");
  }),
);

test(
  "path_open: a link before the last component is followed only within the directory",
  withDirectory((shell, _root, inside) => {
    Deno.writeTextFileSync(`${inside}/sub/file`, "deep");
    Deno.symlinkSync("sub", `${inside}/in`);
    Deno.symlinkSync("..", `${inside}/out`);
    Deno.symlinkSync("../..", `${inside}/sub/far`);
    assertEquals(shell.contents("in/file"), "deep");
    assertEquals(shell.contents("in/../file"), "inside");
    assertEquals(shell.contents("out/secret"), "EPERM");
    assertEquals(shell.contents("in/far/secret"), "EPERM");
  }),
);

test(
  "path_open: a dangling link creates nothing outside",
  withDirectory((shell, root) => {
    const creating = { oflags: OFLAGS_CREAT, rights: WRITE };
    assertEquals(shell.symlink("../made", "link"), "ESUCCESS");
    assertEquals(shell.open("link", creating), "ELOOP");
    assertEquals(shell.open("link", { ...creating, lookup: FOLLOW }), "EPERM");
    assertThrows(() => Deno.statSync(`${root}/made`), Deno.errors.NotFound);
  }),
);

test(
  "path_open: a followed dangling link creates its target within the directory",
  withDirectory((shell, _root, inside) => {
    const creating = { oflags: OFLAGS_CREAT, rights: WRITE, lookup: FOLLOW };
    assertEquals(shell.symlink("sub/made", "link"), "ESUCCESS");
    const exclusive = { ...creating, oflags: OFLAGS_CREAT | OFLAGS_EXCL };
    assertEquals(shell.open("link", exclusive), "EEXIST");
    assertEquals(typeof shell.open("link", creating), "number");
    assert(Deno.statSync(`${inside}/sub/made`).isFile);
  }),
);

/** Paths that lead out of the directory, or to it by a way that is not one. */
const OUT = [
  "..",
  "../",
  "../secret",
  "./../secret",
  "sub/../../secret",
  "sub/../../inside/file",
  "sub/./.././../secret",
  "sub//..//..//secret",
  "/etc/passwd",
  "//etc/passwd",
  "/",
];

for (const path of OUT) {
  test(
    `path_*: ${path} is EPERM for every call`,
    withDirectory((shell) => {
      const at = (): [number, number] => shell.path(path);
      const file = (): [number, number] => shell.path("file");
      const fresh = (): [number, number] => shell.path("fresh");
      const room = shell.program.allocate(64);
      const calls: [string, ...unknown[]][] = [
        ["path_create_directory", 3, ...at()],
        ["path_filestat_get", 3, FOLLOW, ...at(), room],
        ["path_filestat_set_times", 3, FOLLOW, ...at(), 0n, 0n, 0],
        ["path_link", 3, 0, ...at(), 3, ...fresh()],
        ["path_link", 3, 0, ...file(), 3, ...at()],
        ["path_open", 3, FOLLOW, ...at(), 0, READ, 0n, 0, room],
        ["path_open", 3, 0, ...at(), OFLAGS_DIRECTORY, READ, 0n, 0, room],
        ["path_open", 3, 0, ...at(), OFLAGS_CREAT, WRITE, 0n, 0, room],
        ["path_readlink", 3, ...at(), room, 64, room],
        ["path_remove_directory", 3, ...at()],
        ["path_rename", 3, ...at(), 3, ...fresh()],
        ["path_rename", 3, ...file(), 3, ...at()],
        ["path_symlink", ...file(), 3, ...at()],
        ["path_unlink_file", 3, ...at()],
      ];
      for (const [name, ...args] of calls) {
        assertEquals(shell.call(name, ...args), "EPERM", name);
      }
      assertEquals(shell.list(), [".", "..", "file", "sub"]);
    }),
  );
}

test(
  "path_*: a directory that the program has opened is a boundary too",
  withDirectory((shell, root) => {
    const sub = shell.open("sub", { oflags: OFLAGS_DIRECTORY });
    assert(typeof sub === "number");
    for (const path of ["../file", "../../secret", `${root}/secret`]) {
      assertEquals(shell.open(path, { base: sub }), "EPERM", path);
    }
    const made = shell.open("made", {
      base: sub,
      oflags: OFLAGS_CREAT,
      rights: WRITE,
    });
    assertEquals(typeof made, "number");
    assertEquals(shell.list(sub), [".", "..", "made"]);
  }),
);

test(
  "path_open: a directory that is moved while the program runs stays a boundary",
  withDirectory((shell, root, inside) => {
    const sub = shell.open("sub", { oflags: OFLAGS_DIRECTORY });
    assert(typeof sub === "number");
    Deno.renameSync(`${inside}/sub`, `${root}/moved`);
    assertEquals(shell.open("../secret", { base: sub }), "EPERM");
    Deno.symlinkSync("../secret", `${root}/moved/link`);
    const followed = shell.open("link", { base: sub, lookup: FOLLOW });
    assertEquals(followed, "EPERM");
    assertEquals(shell.rename("../secret", "mine", sub), "EPERM");
  }),
);

test(
  "path_open: the preopened directory stays the opened one after its path is replaced",
  withDirectory((shell, root, inside) => {
    Deno.renameSync(inside, `${root}/elsewhere`);
    Deno.mkdirSync(inside);
    Deno.writeTextFileSync(`${inside}/file`, "another");
    assertEquals(shell.contents("file"), "inside");
    Deno.removeSync(inside, { recursive: true });
    Deno.renameSync(`${root}/elsewhere`, inside);
  }),
);

for (const call of ["fd_close", "fd_renumber"] as const) {
  test(`WasiHost: ${call} in a start function gives no directory to another's number`, async () => {
    const directory = await Deno.makeTempDir();
    const preopens: Record<string, string> = {};
    for (const name of ["a", "b"]) {
      preopens[name] = `${directory}/${name}`;
      await Deno.mkdir(preopens[name]);
      await Deno.writeTextFile(`${preopens[name]}/${name}`, "");
    }
    const { constant, store } = op;
    const numbers = call === "fd_close" ? [3] : [4, 3];
    const left = call === "fd_close" ? 4 : 3;
    // proc_exit(path_filestat_get(left, 0, "b", 1, 64))
    const module = assemble(
      [[call, numbers.length], ["path_filestat_get", 5], ["proc_exit", 1]],
      [
        ...[...constant(0), ...constant("b".charCodeAt(0)), ...store],
        ...[left, 0, 0, 1, 64].flatMap(constant),
        ...[...op.call(1), ...op.call(2), ...op.drop],
      ],
      [...numbers.flatMap(constant), ...op.call(0), ...op.drop],
    );
    const errno = new WasiHost({ preopens }).run(module);
    assertEquals(wasiErrnoName(errno), "ESUCCESS");
    await Deno.remove(directory, { recursive: true });
  });
}

test("WasiHost: after its end a program reaches no file that has its number on the host", async () => {
  const root = await Deno.makeTempDir();
  await Deno.writeTextFile(`${root}/file`, "inside");
  const kept: [GuestProgram, file: number | string][] = [];
  runProgram({ preopens: { "/": root } }, (program) => {
    kept.push([program, new Shell(program).open("file", { rights: WRITE })]);
  });
  const [[program, file]] = kept as [typeof kept[0]];
  // These get the numbers of the host that have become free.
  await Deno.writeTextFile(`${root}/secret`, "outside");
  const own = [1, 2, 3].map(() => openFile(`${root}/secret`, "r+"));
  const { iovecs } = program.buffers(8);
  const stored = program.allocate(4);
  for (const name of ["fd_read", "fd_write"]) {
    const errno = program.call(name, file, iovecs, 1, stored);
    assertEquals(wasiErrnoName(errno), "EBADF", name);
  }
  assertEquals(new Shell(program).open("file"), "EBADF");
  for (const fd of own) close(fd);
  assertEquals(await Deno.readTextFile(`${root}/secret`), "outside");
  await Deno.remove(root, { recursive: true });
});

/** Lets a name be a directory and a link out of it by turns, as fast as it can. */
const SWAPPER = `
const [inside] = Deno.args;
const [dir, link, rest] = ["d", "l", "r"].map((name) => inside + "/" + name);
console.log("swapping");
for (;;) {
  Deno.renameSync(dir, rest);
  Deno.renameSync(link, dir);
  Deno.renameSync(dir, link);
  Deno.renameSync(rest, dir);
}
`;

test("path_open: replacing a component during the call leads nowhere outside", async () => {
  const root = await Deno.makeTempDir();
  const inside = `${root}/inside`;
  await Deno.mkdir(`${inside}/d`, { recursive: true });
  await Deno.writeTextFile(`${root}/secret`, "outside");
  await Deno.writeTextFile(`${inside}/d/secret`, "inside");
  await Deno.symlink("..", `${inside}/l`);
  await Deno.writeTextFile(`${root}/swap.ts`, SWAPPER);
  const child = new Deno.Command(denoProgram(), {
    args: ["run", "--no-check", "-A", `${root}/swap.ts`, inside],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const seen = new Map<string, number>();
  runProgram({ preopens: { "/": inside } }, (program) => {
    const shell = new Shell(program);
    for (let round = 0; round < 3000; round++) {
      const text = shell.contents("d/secret", FOLLOW);
      seen.set(text, (seen.get(text) ?? 0) + 1);
    }
  }, 16);
  child.kill("SIGKILL");
  await reader.cancel();
  await child.status;
  await Deno.remove(root, { recursive: true });
  assertEquals(seen.has("outside"), false);
  assert((seen.get("inside") ?? 0) > 0, "the directory was never there");
  assert((seen.get("EPERM") ?? 0) > 0, "the link was never there");
});

test(
  "path_*: a link itself is renamed, removed and reported, not its target",
  withDirectory((shell, root, inside) => {
    Deno.symlinkSync("../secret", `${inside}/link`);
    const link = shell.stat("link");
    assert(typeof link === "object");
    assertEquals(link.filetype, FILETYPE_SYMBOLIC_LINK);
    assertEquals(shell.stat("link", FOLLOW), "EPERM");
    assertEquals(shell.readlink("link"), "../secret");
    assertEquals(shell.rename("link", "other"), "ESUCCESS");
    assertEquals(Deno.readLinkSync(`${inside}/other`), "../secret");
    const hard = [3, 0, ...shell.path("other"), 3, ...shell.path("hard")];
    assertEquals(shell.call("path_link", ...hard), "ESUCCESS");
    assertEquals(Deno.lstatSync(`${inside}/hard`).isSymlink, true);
    for (const name of ["other", "hard"]) {
      const unlinked = shell.call("path_unlink_file", 3, ...shell.path(name));
      assertEquals(unlinked, "ESUCCESS");
    }
    assert(Deno.statSync(`${root}/secret`).isFile);
  }),
);

test(
  "path_filestat_set_times: it sets the times of a link itself, and EPERM if followed outside",
  withDirectory((shell, root, inside) => {
    Deno.symlinkSync("../secret", `${inside}/link`);
    const before = Deno.statSync(`${root}/secret`).mtime;
    const times = [10n ** 18n, 10n ** 18n, FSTFLAGS_ATIM | FSTFLAGS_MTIM];
    const set = (lookup: number): string =>
      shell.call(
        ...["path_filestat_set_times", 3, lookup] as const,
        ...shell.path("link"),
        ...times,
      );
    assertEquals(set(FOLLOW), "EPERM");
    assertEquals(set(0), "ESUCCESS");
    assertEquals(Deno.statSync(`${root}/secret`).mtime, before);
    assertEquals(Deno.lstatSync(`${inside}/link`).mtime, new Date(1e12));
  }),
);

test(
  "path_filestat_set_times: one time of a file from before 1970 is set, the other stays",
  withDirectory((shell, _root, inside) => {
    const old = new Date(-1500);
    Deno.utimeSync(`${inside}/file`, old, old);
    const args = [...shell.path("file"), 5n * 10n ** 9n, 0n, FSTFLAGS_ATIM];
    const errno = shell.call("path_filestat_set_times", 3, 0, ...args);
    assertEquals(errno, "ESUCCESS");
    const { atime, mtime } = Deno.statSync(`${inside}/file`);
    assertEquals([atime, mtime], [new Date(5000), old]);
  }),
);

test(
  "path_readlink: a slash after a link means its target",
  withDirectory((shell, _root, inside) => {
    Deno.symlinkSync("sub", `${inside}/toSub`);
    Deno.symlinkSync("file", `${inside}/toFile`);
    Deno.symlinkSync("..", `${inside}/out`);
    assertEquals(shell.readlink("toSub"), "sub");
    assertEquals(shell.readlink("toSub/"), "EINVAL");
    assertEquals(shell.readlink("toFile/"), "ENOTDIR");
    assertEquals(shell.readlink("file/"), "ENOTDIR");
    assertEquals(shell.readlink("missing/"), "ENOENT");
    assertEquals(shell.readlink("out/"), "EPERM");
  }),
);

test(
  "path_symlink: an absolute target is EPERM",
  withDirectory((shell) => {
    assertEquals(shell.symlink("/etc/passwd", "link"), "EPERM");
  }),
);

test(
  "path_open: a circle of links is ELOOP",
  withDirectory((shell) => {
    assertEquals(shell.symlink("b", "a"), "ESUCCESS");
    assertEquals(shell.symlink("a", "b"), "ESUCCESS");
    assertEquals(shell.contents("a", FOLLOW), "ELOOP");
    assertEquals(shell.contents("a/file", FOLLOW), "ELOOP");
    assertEquals(shell.stat("a", FOLLOW), "ELOOP");
  }),
);

test(
  "path_open: malformed paths are refused",
  withDirectory((shell) => {
    assertEquals(shell.contents(""), "ENOENT");
    assertEquals(shell.contents("file\0"), "EINVAL");
    assertEquals(shell.contents("sub\0/../file"), "EINVAL");
    assertEquals(shell.contents("a".repeat(300)), "ENAMETOOLONG");
    assertEquals(shell.contents("./".repeat(3000)), "ENAMETOOLONG");
    assertEquals(shell.contents("file/"), "ENOTDIR");
    assertEquals(shell.contents("file/."), "ENOTDIR");
    assertEquals(shell.contents("none/../file"), "ENOENT");
  }),
);

test(
  "path_open: a path through more than 256 directories is ENAMETOOLONG, and leaves none open",
  withDirectory((shell, _root, inside) => {
    Deno.mkdirSync(inside + "/d".repeat(300), { recursive: true });
    const before = openFds().size;
    assertEquals(shell.contents("d/".repeat(290) + "file"), "ENAMETOOLONG");
    assertEquals(shell.stat("d/".repeat(250) + "d"), {
      filetype: FILETYPE_DIRECTORY,
      size: Deno.statSync(inside + "/d".repeat(251)).size,
    });
    assertEquals(openFds().size, before);
  }),
);

test(
  "path_*: creating, removing, unlinking and renaming work within the directory",
  withDirectory((shell, _root, inside) => {
    const on = (name: string, path: string): string =>
      shell.call(name, 3, ...shell.path(path));
    assertEquals(on("path_create_directory", "sub/new"), "ESUCCESS");
    assertEquals(on("path_create_directory", "sub/new"), "EEXIST");
    assertEquals(on("path_create_directory", "other/"), "ESUCCESS");
    assertEquals(shell.rename("file", "sub/../sub/new/file"), "ESUCCESS");
    assertEquals(shell.rename("sub/new/file", "sub/new/file/"), "ENOTDIR");
    assertEquals(on("path_remove_directory", "sub/new"), "ENOTEMPTY");
    assertEquals(on("path_unlink_file", "sub/new"), "EISDIR");
    assertEquals(on("path_unlink_file", "sub/new/file/"), "ENOTDIR");
    assertEquals(on("path_unlink_file", "sub/new/file"), "ESUCCESS");
    assertEquals(on("path_remove_directory", "sub/new/"), "ESUCCESS");
    assertEquals(on("path_remove_directory", "sub/."), "EINVAL");
    assertEquals([...Deno.readDirSync(inside)].length, 2);
  }),
);

test(
  "path_open: a writable file can be written, truncated, appended to and sought in",
  withDirectory((shell, _root, inside) => {
    const { program } = shell;
    const fd = shell.open("file", { oflags: OFLAGS_TRUNC, rights: WRITE });
    assert(typeof fd === "number");
    assertEquals(program.send(fd, ["one", "two"], "fd_write").count, 6);
    const at = program.allocate(8);
    program.must("fd_seek", fd, 1n, 0, at);
    assertEquals(shell.read(fd), "netwo");
    program.must("fd_tell", fd, at);
    assertEquals(program.view.getBigUint64(at, true), 6n);
    const { iovecs, pointers } = program.buffers(2, 2);
    program.must("fd_pread", fd, iovecs, 2, 2n, at);
    assertEquals(program.text(pointers[0]!, 2), "et");
    assertEquals(program.text(pointers[1]!, 2), "wo");
    program.must("fd_pwrite", fd, iovecs, 1, 0n, at);
    program.must("fd_filestat_set_size", fd, 4n);
    program.must("fd_allocate", fd, 0n, 3n);
    program.must("fd_sync", fd);
    program.must("fd_close", fd);
    const appending = shell.open("file", { rights: WRITE, fdflags: 1 });
    assert(typeof appending === "number");
    assertEquals(program.send(appending, ["!"], "fd_write").count, 1);
    assertEquals(Deno.readTextFileSync(`${inside}/file`), "etet!");
    const stat = shell.stat("file");
    assertEquals(stat, { filetype: FILETYPE_REGULAR_FILE, size: 5 });
  }),
);

test(
  "path_open: a file opened for reading cannot be written",
  withDirectory((shell) => {
    const fd = shell.open("file");
    assert(typeof fd === "number");
    assertEquals(shell.program.fdstat(fd).rightsBase & RIGHTS_FD_WRITE, 0n);
    assertEquals(shell.program.send(fd, ["x"], "fd_write").errno, "EBADF");
    assertEquals(
      shell.call("fd_filestat_set_size", fd, 0n),
      "EINVAL",
    );
  }),
);

test(
  "fd_readdir: a buffer of any size gets every entry once",
  withDirectory((shell, _root, inside) => {
    const names = Array.from({ length: 50 }, (_, index) => `name-${index}`);
    for (const name of names) Deno.writeTextFileSync(`${inside}/${name}`, "");
    const expected = [".", "..", "file", "sub", ...names].toSorted();
    assertEquals(shell.list(3, 4096), expected);
    assertEquals(shell.list(3, 100), expected);
    assertEquals(shell.list(3, 33), expected);
  }),
);

test("fd_prestat_dir_name: it returns the name of a preopened directory", async () => {
  const directory = await Deno.makeTempDir();
  runProgram({ preopens: { "/data": directory } }, (program) => {
    const at = program.allocate(16);
    program.must("fd_prestat_get", 3, at);
    assertEquals(program.view.getUint32(at + 4, true), 5);
    program.must("fd_prestat_dir_name", 3, at, 5);
    assertEquals(program.text(at, 5), "/data");
    const short = wasiErrnoName(program.call("fd_prestat_dir_name", 3, at, 4));
    assertEquals(short, "ENAMETOOLONG");
  });
  await Deno.remove(directory);
});

test(
  "path_open: a FIFO does not block",
  withDirectory((shell, _root, inside) => {
    const made = new Deno.Command("mkfifo", { args: [`${inside}/fifo`] });
    assert(made.outputSync().success);
    assertEquals(shell.open("fifo", { rights: RIGHTS_FD_WRITE }), "ENXIO");
    const fd = shell.open("fifo");
    assert(typeof fd === "number");
    assertEquals(shell.read(fd), "");
  }),
);

test("path_open: one descriptor above the limit is EMFILE and does not leak", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/file`, "");
  const options = { preopens: { "/": directory }, maximumDescriptors: 6 };
  runProgram(options, (program) => {
    const shell = new Shell(program);
    assertEquals([shell.open("file"), shell.open("file")], [4, 5]);
    const before = openFds().size;
    assertEquals(shell.open("file"), "EMFILE");
    const creating = { oflags: OFLAGS_CREAT, rights: WRITE };
    assertEquals(shell.open("new", creating), "EMFILE");
    assertEquals(openFds().size, before);
    program.must("fd_close", 4);
    assertEquals(shell.open("file"), 4);
  });
  assertEquals([...Deno.readDirSync(directory)].length, 1);
  await Deno.remove(directory, { recursive: true });
});

test("WasiHost: a missing preopened directory is an error of start()", () => {
  const host = new WasiHost({ preopens: { "/": "/nonexistent" } });
  const memory = new WebAssembly.Memory({ initial: 1 });
  assertThrows(
    () => host.start({ exports: { memory, _start(): void {} } }),
    Deno.errors.NotFound,
  );
});

/** Opens a file for reading and creates one, in the directory of the argument. */
const PERMITTED = `
import { WasiHost } from "POLLUX/adapters/wasi/mod.ts";
import { GuestProgram } from "POLLUX/tests/adapters/wasi/guest_program.ts";

try {
  const host = new WasiHost({ preopens: { "/": Deno.args[0] } });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const program = new GuestProgram(host.imports.wasi_snapshot_preview1, memory);
  host.start({ exports: { memory, _start() {
    program.write(64, "filenew");
    console.log(program.call("path_open", 3, 0, 64, 4, 0, 2n, 0n, 0, 128));
    console.log(program.call("path_open", 3, 0, 68, 3, 1, 66n, 0n, 0, 128));
    console.log(program.call("path_unlink_file", 3, 64, 4));
  } } });
} catch (error) {
  console.log(error.name);
}
`;

/** The output of the program above, with these permissions. */
async function permitted(
  ...permissions: ((directory: string) => string)[]
): Promise<string[]> {
  const directory = await Deno.makeTempDir();
  const inside = `${directory}/inside`;
  await Deno.mkdir(inside);
  await Deno.writeTextFile(`${inside}/file`, "");
  const root = new URL("../../../", import.meta.url);
  const file = `${directory}/program.ts`;
  await Deno.writeTextFile(file, PERMITTED.replaceAll("POLLUX/", root.href));
  const { stdout } = await new Deno.Command(denoProgram(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "--allow-ffi"],
      `--config=${root.pathname}deno.json`,
      ...permissions.map((permission) => permission(inside)),
      ...[file, inside],
    ],
    stderr: "null",
  }).output();
  await Deno.remove(directory, { recursive: true });
  return new TextDecoder().decode(stdout).trim().split("\n");
}

test("WasiHost: a NUL in the path of a preopened directory is refused", () => {
  // Deno normalizes it to the second directory, and the system opens the first.
  const preopens = { "/": "/etc\0/../../tmp" };
  assertThrows(() => new WasiHost({ preopens }), TypeError, "NUL");
});

test("WasiHost: without --allow-read a preopened directory is refused", async () => {
  assertEquals(await permitted(), ["NotCapable"]);
  const half = await permitted(
    (inside) => `--allow-read=${inside}`,
    (inside) => `--deny-read=${inside}/file`,
  );
  assertEquals(half, ["NotCapable"]);
});

test("WasiHost: without --allow-write a preopened directory is read-only", async () => {
  const read = (inside: string): string => `--allow-read=${inside}`;
  assertEquals(await permitted(read), ["0", "69", "69"]);
  const write = (inside: string): string => `--allow-write=${inside}`;
  assertEquals(await permitted(read, write), ["0", "0", "0"]);
});
