/**
 * The numbers of children and terminals, and the C compiler's.
 */

import { assert, assertEquals } from "@std/assert";
import { statusOf } from "../../../adapters/process/child.ts";
import { ROOM } from "../../../adapters/process/file_actions.ts";
import { numbers } from "../../../adapters/process/numbers.ts";
import { printedByC, reason } from "../../backends/ffi/c_compiler.ts";
import { test } from "../../util.ts";

const NAMES = [
  "POSIX_SPAWN_SETSIGDEF",
  "POSIX_SPAWN_SETSIGMASK",
  "POSIX_SPAWN_SETSID",
  "TIOCGWINSZ",
  "TIOCSWINSZ",
  "IUTF8",
  "SYS_pidfd_open",
  "SYS_pidfd_send_signal",
] as const;

const HEADERS = [
  "spawn.h",
  "signal.h",
  "sys/ioctl.h",
  "sys/syscall.h",
  "sys/wait.h",
  "termios.h",
];

test(
  `process: the numbers are those of the headers${reason}`,
  async () => {
    const table = numbers();
    const expected = [
      ...NAMES.map((name) => `${name} ${table[name]}`),
      ...table.signals.map((name, index) => `${name} ${index + 1}`),
    ];
    const names = [...NAMES, ...table.signals];
    assertEquals(
      await printedByC(HEADERS, names.map((name) => [name, name])),
      expected.toSorted(),
    );
  },
  { ignore: reason !== "" },
);

test(
  `process: the structs fit into their room, and c_iflag and ws_row come first${reason}`,
  async () => {
    const values = await printedByC(HEADERS, [
      ["actions", "sizeof(posix_spawn_file_actions_t)"],
      ["attributes", "sizeof(posix_spawnattr_t)"],
      ["set", "sizeof(sigset_t)"],
      ["size", "sizeof(struct winsize)"],
      ["columns", "offsetof(struct winsize, ws_col)"],
      ["flags", "offsetof(struct termios, c_iflag)"],
      ["termios", "sizeof(struct termios)"],
      ["WNOHANG", "WNOHANG"],
    ]);
    const sizes = new Map(
      values.map((line) => line.split(" ") as [string, string]),
    );
    const size = (name: string): number => Number(sizes.get(name));
    for (const name of ["actions", "attributes", "set"]) {
      assert(size(name) <= ROOM);
    }
    assert(size("termios") <= 256);
    assertEquals([size("size"), size("columns"), size("flags")], [8, 2, 0]);
    assertEquals(size("WNOHANG"), 1);
  },
  { ignore: reason !== "" },
);

test("process: a status word is an exit code or a signal", () => {
  assertEquals(statusOf(0), { success: true, code: 0, signal: null });
  assertEquals(statusOf(7 << 8), { success: false, code: 7, signal: null });
  assertEquals(statusOf(255 << 8), { success: false, code: 255, signal: null });
  assertEquals(statusOf(15), { success: false, code: 143, signal: "SIGTERM" });
  assertEquals(statusOf(6 | 0x80), {
    success: false,
    code: 134,
    signal: "SIGABRT",
  });
  assertEquals(statusOf(34).signal, "SIG34");
});
