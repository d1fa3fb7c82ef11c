/**
 * The tables of the operating systems, checked on every machine without opening a
 * library. On Linux with a C compiler the compiler prints every number of its table.
 */

import { assert, assertEquals } from "@std/assert";
import { printedByC, reason } from "./c_compiler.ts";
import type { MsghdrLayout, System } from "../../../backends/ffi/system.ts";
import { kqueueConstants } from "../../../backends/ffi/kqueue_library.ts";
import { devPollConstants } from "../../../backends/ffi/structs/dvpoll.ts";
import { epollEventLayout } from "../../../backends/ffi/structs/epoll_event.ts";
import { keventLayout } from "../../../backends/ffi/structs/kevent.ts";
import * as poll from "../../../backends/poll.ts";
import { darwin } from "../../../backends/ffi/systems/darwin.ts";
import { freebsd } from "../../../backends/ffi/systems/freebsd.ts";
import { illumos } from "../../../backends/ffi/systems/illumos.ts";
import { linux } from "../../../backends/ffi/systems/linux.ts";
import { netbsd } from "../../../backends/ffi/systems/netbsd.ts";

/** The values of a table that its headers fix. */
interface Expected {
  readonly system: System;
  readonly name: string;
  readonly AF_INET6: number;
  readonly sockaddrHasLength: boolean;
  readonly unixPathBytes: number;
  readonly variadicOnStack: boolean;
  readonly msghdr: MsghdrLayout;
  /** `size`, `events`, `data`. */
  readonly epollEvent: readonly number[] | null;
  /** `size`, `ident`, `filter`, its bytes, `flags`, `fflags`, `data`, `udata`. */
  readonly kevent: readonly number[] | null;
  readonly hasDevPoll: boolean;
}

/** `<sys/socket.h>` of glibc: size_t counts. */
const wideMsghdr: MsghdrLayout = {
  size: 56,
  name: 0,
  namelen: 8,
  iov: 16,
  iovlen: 24,
  iovlenBytes: 8,
  control: 32,
  controllen: 40,
  controllenBytes: 8,
  flags: 48,
};

/** `<sys/socket.h>` of the BSDs, macOS and illumos: int and socklen_t counts. */
const narrowMsghdr: MsghdrLayout = {
  size: 48,
  name: 0,
  namelen: 8,
  iov: 16,
  iovlen: 24,
  iovlenBytes: 4,
  control: 32,
  controllen: 40,
  controllenBytes: 4,
  flags: 44,
};

const linuxRow = {
  AF_INET6: 10,
  sockaddrHasLength: false,
  unixPathBytes: 108,
  variadicOnStack: false,
  msghdr: wideMsghdr,
  kevent: null,
  hasDevPoll: false,
} as const;

const darwinRow = {
  AF_INET6: 30,
  sockaddrHasLength: true,
  unixPathBytes: 104,
  msghdr: narrowMsghdr,
  epollEvent: null,
  kevent: [32, 0, 8, 2, 10, 12, 16, 24],
  hasDevPoll: false,
} as const;

const freebsdRow = {
  AF_INET6: 28,
  sockaddrHasLength: true,
  unixPathBytes: 104,
  variadicOnStack: false,
  msghdr: narrowMsghdr,
  epollEvent: null,
  kevent: [64, 0, 8, 2, 10, 12, 16, 24],
  hasDevPoll: false,
} as const;

const netbsdRow = {
  AF_INET6: 24,
  sockaddrHasLength: true,
  unixPathBytes: 104,
  variadicOnStack: false,
  msghdr: narrowMsghdr,
  epollEvent: null,
  kevent: [40, 0, 8, 4, 12, 16, 24, 32],
  hasDevPoll: false,
} as const;

const rows: readonly Expected[] = [
  {
    ...linuxRow,
    system: linux("x86_64"),
    name: "Linux x86-64",
    epollEvent: [12, 0, 4],
  },
  {
    ...linuxRow,
    system: linux("aarch64"),
    name: "Linux arm64",
    epollEvent: [16, 0, 8],
  },
  {
    ...darwinRow,
    system: darwin("x86_64"),
    name: "macOS x86-64",
    variadicOnStack: false,
  },
  {
    ...darwinRow,
    system: darwin("aarch64"),
    name: "macOS arm64",
    variadicOnStack: true,
  },
  { ...freebsdRow, system: freebsd("x86_64"), name: "FreeBSD x86-64" },
  { ...freebsdRow, system: freebsd("aarch64"), name: "FreeBSD arm64" },
  { ...netbsdRow, system: netbsd("x86_64"), name: "NetBSD x86-64" },
  { ...netbsdRow, system: netbsd("aarch64"), name: "NetBSD arm64" },
  {
    system: illumos("x86_64"),
    name: "illumos x86-64",
    AF_INET6: 26,
    sockaddrHasLength: false,
    unixPathBytes: 108,
    variadicOnStack: false,
    msghdr: narrowMsghdr,
    epollEvent: null,
    kevent: null,
    hasDevPoll: true,
  },
];

function isSingleBit(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

for (const expected of rows) {
  const { system } = expected;
  const { constants, errno } = system;
  const kevent = keventLayout(system);
  const kqueue = kqueueConstants(system);
  const title = expected.name;

  Deno.test(`${title}: the table has the name of its system`, () => {
    assertEquals(system.name, expected.name);
  });

  Deno.test(`${title}: some library has an absolute path, which a permission can name`, () => {
    assert(system.libraries.some((library) => library.startsWith("/")));
  });

  Deno.test(`${title}: no two errno names share a number`, () => {
    const names = new Map<number, string>();
    for (const [name, number] of Object.entries(errno)) {
      assertEquals(names.get(number), undefined, `${name} is ${number} too`);
      names.set(number, name);
    }
  });

  Deno.test(`${title}: every errno is a positive integer under a name of C's`, () => {
    for (const [name, number] of Object.entries(errno)) {
      assert(/^E[A-Z0-9]+$/.test(name), name);
      assert(Number.isInteger(number) && number > 0, `${name}: ${number}`);
    }
  });

  Deno.test(`${title}: every error that Pollux itself looks for has its number`, () => {
    const names = [
      "EAGAIN",
      "EBADF",
      "EINTR",
      "EINPROGRESS",
      "EALREADY",
      "EISCONN",
      "ENOTCONN",
      "ECONNABORTED",
      "ECONNREFUSED",
      "ECONNRESET",
      "EPIPE",
      "EMFILE",
      "ENFILE",
      "ENOBUFS",
      "ENOENT",
      "EPERM",
    ];
    assertEquals(names.filter((name) => !(name in errno)), []);
  });

  Deno.test(`${title}: every constant is a non-negative integer below 2^32, or null`, () => {
    for (const [name, value] of Object.entries(constants)) {
      if (value === null) continue;
      assert(
        Number.isInteger(value) && value >= 0 && value < 2 ** 32,
        `${name}: ${value}`,
      );
    }
  });

  Deno.test(`${title}: AF_INET6 is the one of its header`, () => {
    assertEquals(constants.AF_INET6, expected.AF_INET6);
  });

  Deno.test(`${title}: the flags of open are single bits, and all different`, () => {
    const flags = Object.entries(constants)
      .filter(([name, value]) => name.startsWith("O_") && value !== null)
      .map(([_, value]) => value as number);
    assert(flags.every(isSingleBit), flags.join(", "));
    assertEquals(new Set(flags).size, flags.length);
  });

  Deno.test(`${title}: the fields of struct stat lie within it, each at its own place`, () => {
    const { size, deviceBytes: _device, linksBytes: _links, ...places } =
      system.stat;
    const offsets = Object.values(places);
    assertEquals(new Set(offsets).size, offsets.length);
    assert(offsets.every((offset) => offset < size));
  });

  Deno.test(`${title}: the flags of send and recv are single bits, and all different`, () => {
    const flags = Object.entries(constants)
      .filter(([name, value]) => name.startsWith("MSG_") && value !== null)
      .map(([_, value]) => value as number);
    assert(flags.every(isSingleBit), flags.join(", "));
    assertEquals(new Set(flags).size, flags.length);
  });

  Deno.test(`${title}: a write to a closed socket can be kept from raising SIGPIPE`, () => {
    assert(constants.MSG_NOSIGNAL !== null || constants.SO_NOSIGPIPE !== null);
  });

  Deno.test(`${title}: struct msghdr is laid out as in <sys/socket.h>`, () => {
    assertEquals(system.msghdr, expected.msghdr);
  });

  Deno.test(`${title}: socket addresses are laid out as in their headers`, () => {
    assertEquals(system.sockaddrHasLength, expected.sockaddrHasLength);
    assertEquals(system.unixPathBytes, expected.unixPathBytes);
  });

  Deno.test(`${title}: variadic arguments go where the calling convention puts them`, () => {
    assertEquals(system.variadicOnStack, expected.variadicOnStack);
  });

  Deno.test(`${title}: struct epoll_event is laid out as in <sys/epoll.h>, or there is none`, () => {
    const layout = epollEventLayout(system);
    assertEquals(
      layout && [layout.size, layout.events, layout.data],
      expected.epollEvent,
    );
  });

  Deno.test(`${title}: struct kevent is laid out as in <sys/event.h>, or there is none`, () => {
    assertEquals(
      kevent && [
        kevent.size,
        kevent.ident,
        kevent.filter,
        kevent.filterBytes,
        kevent.flags,
        kevent.fflags,
        kevent.data,
        kevent.udata,
      ],
      expected.kevent,
    );
  });

  Deno.test(`${title}: kqueue's constants fit the fields of struct kevent, or both are absent`, () => {
    assertEquals(kqueue === null, kevent === null);
    if (kqueue === null || kevent === null) return;
    for (const [name, value] of Object.entries(kqueue)) {
      if (value === null) continue;
      assert(Number.isInteger(value), `${name}: ${value}`);
      if (!name.startsWith("EVFILT_")) {
        assert(isSingleBit(value), `${name}: ${value}`);
      } else if (kevent.filterBytes === 2) {
        assert(value < 0 && value >= -(2 ** 15), `${name}: ${value}`);
      } else {
        assert(value >= 0 && value < 2 ** 32, `${name}: ${value}`);
      }
    }
  });

  Deno.test(`${title}: /dev/poll's constants exist exactly where it does`, () => {
    assertEquals(devPollConstants(system) !== null, expected.hasDevPoll);
  });
}

/** POLLIN and its like, which are the same numbers on every system. */
const pollFlags = Object.entries<unknown>(poll)
  .filter((entry): entry is [string, number] => /^POLL[A-Z]+$/.test(entry[0]));

Deno.test("the pollfd flags are single bits, and all different", () => {
  const flags = pollFlags.map(([_, value]) => value);
  assert(flags.length >= 6 && flags.every(isSingleBit), flags.join(", "));
  assertEquals(new Set(flags).size, flags.length);
});

Deno.test("illumos x86-64: DP_POLL and POLLREMOVE are those of <sys/devpoll.h> and <sys/poll.h>", () => {
  assertEquals(devPollConstants(illumos("x86_64")), {
    DP_POLL: (0xd0 << 8) | 1,
    POLLREMOVE: 0x0800,
  });
});

const HEADERS = [
  "dirent.h",
  "errno.h",
  "fcntl.h",
  "limits.h",
  "netinet/in.h",
  "netinet/tcp.h",
  "linux/udp.h",
  "poll.h",
  "sys/epoll.h",
  "sys/socket.h",
  "sys/stat.h",
  "sys/time.h",
  "sys/un.h",
  "termios.h",
];

/** The names that Linux has for constants whose names are those of other systems. */
const NAMES_IN_C: Readonly<Record<string, string>> = {
  IP_RECVPKTINFO: "IP_PKTINFO",
  SO_TIMESTAMP: "SO_TIMESTAMPNS",
};

/** The C expression of every number of a table, by its name. */
function expressionsFor(system: System): [name: string, expression: string][] {
  const constants = Object.entries(system.constants)
    .filter(([_, value]) => value !== null)
    .map(([name]) => name);
  return [
    ...[
      ...constants,
      ...Object.keys(system.errno),
      ...pollFlags.map(([name]) => name),
    ]
      .map((name): [string, string] => [name, NAMES_IN_C[name] ?? name]),
    ["epollEvent.size", "sizeof(struct epoll_event)"],
    ["epollEvent.events", "offsetof(struct epoll_event, events)"],
    ["epollEvent.data", "offsetof(struct epoll_event, data)"],
    ["msghdr.size", "sizeof(struct msghdr)"],
    ["msghdr.name", "offsetof(struct msghdr, msg_name)"],
    ["msghdr.namelen", "offsetof(struct msghdr, msg_namelen)"],
    ["msghdr.iov", "offsetof(struct msghdr, msg_iov)"],
    ["msghdr.iovlen", "offsetof(struct msghdr, msg_iovlen)"],
    ["msghdr.iovlenBytes", "sizeof(((struct msghdr *) 0)->msg_iovlen)"],
    ["msghdr.control", "offsetof(struct msghdr, msg_control)"],
    ["msghdr.controllen", "offsetof(struct msghdr, msg_controllen)"],
    ["msghdr.controllenBytes", "sizeof(((struct msghdr *) 0)->msg_controllen)"],
    ["msghdr.flags", "offsetof(struct msghdr, msg_flags)"],
    ["stat.size", "sizeof(struct statx)"],
    ["stat.device", "offsetof(struct statx, stx_dev_major)"],
    ["stat.deviceBytes", "2 * sizeof(((struct statx *) 0)->stx_dev_major)"],
    ["stat.inode", "offsetof(struct statx, stx_ino)"],
    ["stat.mode", "offsetof(struct statx, stx_mode)"],
    ["stat.links", "offsetof(struct statx, stx_nlink)"],
    ["stat.linksBytes", "sizeof(((struct statx *) 0)->stx_nlink)"],
    ["stat.length", "offsetof(struct statx, stx_size)"],
    ["stat.accessed", "offsetof(struct statx, stx_atime)"],
    ["stat.modified", "offsetof(struct statx, stx_mtime)"],
    ["stat.changed", "offsetof(struct statx, stx_ctime)"],
    ["dirent.length", "offsetof(struct dirent, d_reclen)"],
    ["dirent.inode", "offsetof(struct dirent, d_ino)"],
    ["dirent.type", "offsetof(struct dirent, d_type)"],
    ["dirent.name", "offsetof(struct dirent, d_name)"],
    ["currentDirectory", "AT_FDCWD"],
    ["unixPathBytes", "sizeof(((struct sockaddr_un *) 0)->sun_path)"],
  ];
}

/** The same lines, as the table has them. */
function linesOf(system: System): string[] {
  const { constants, errno, msghdr } = system;
  const epollEvent = epollEventLayout(system);
  return [
    ...Object.entries({ ...constants, ...errno }),
    ...pollFlags,
    ...Object.entries(epollEvent!).map(([name, value]) =>
      [`epollEvent.${name}`, value] as const
    ),
    ...Object.entries(msghdr).map(([name, value]) =>
      [`msghdr.${name}`, value] as const
    ),
    ...Object.entries(system.stat).map(([name, value]) =>
      [`stat.${name}`, value] as const
    ),
    ...Object.entries(system.dirent).map(([name, value]) =>
      [`dirent.${name}`, value] as const
    ),
    ["currentDirectory", system.currentDirectory] as const,
    ["unixPathBytes", system.unixPathBytes] as const,
  ].filter(([_, value]) => value !== null)
    .map(([name, value]) => `${name} ${value}`);
}

Deno.test({
  name: `Linux: every number is the one that the C compiler prints${reason}`,
  ignore: reason !== "",
  fn: async () => {
    const system = linux(Deno.build.arch);
    assertEquals(
      await printedByC(HEADERS, expressionsFor(system)),
      linesOf(system).toSorted(),
    );
  },
});
