/**
 * macOS on arm64 and x86-64. The numbers are those of the headers in the kernel's
 * sources: xnu-11417, of macOS 15.
 *
 * Sources: `sys/socket.h`, `sys/event.h`, `sys/poll.h`, `sys/fcntl.h`, `sys/stat.h`,
 * `dirent.h`, `sys/un.h`, `sys/errno.h`, `netinet/in.h`, `netinet6/in6.h`,
 * `netinet/tcp.h`.
 *
 * @module
 */

import type {
  Constants,
  DirentLayout,
  MsghdrLayout,
  StatLayout,
  System,
} from "../system.ts";

const constants = (): Constants => ({
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 30,

  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_SEQPACKET: 5,
  SOCK_NONBLOCK: null,
  SOCK_CLOEXEC: null,

  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 0x4,
  SO_REUSEPORT: 0x200,
  SO_TYPE: 0x1008,
  SO_ERROR: 0x1007,
  SO_BROADCAST: 0x20,
  SO_SNDBUF: 0x1001,
  SO_RCVBUF: 0x1002,
  SO_KEEPALIVE: 0x8,
  // The header has two. This one is of POSIX and counts in seconds; 0x80, the other,
  // counts in ticks.
  SO_LINGER: 0x1080,
  SO_OOBINLINE: 0x100,
  SO_ACCEPTCONN: 0x2,
  SO_TIMESTAMP: 0x400,
  SO_NOSIGPIPE: 0x1022,
  SO_EXCLUSIVEADDRUSE: null,

  MSG_OOB: 0x1,
  MSG_PEEK: 0x2,
  MSG_TRUNC: 0x10,
  MSG_CTRUNC: 0x20,
  // The kernel has known 0x80000 only since macOS 11; the option above always.
  MSG_NOSIGNAL: null,
  MSG_DONTWAIT: 0x80,
  MSG_CMSG_CLOEXEC: null,
  SCM_RIGHTS: 1,

  SHUT_RD: 0,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  SOMAXCONN: 128,

  IPPROTO_IP: 0,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
  IPPROTO_UDP: 17,
  TCP_NODELAY: 1,
  TCP_MAXSEG: 2,
  TCP_KEEPIDLE: 0x10, // TCP_KEEPALIVE
  TCP_KEEPINTVL: 0x101,
  TCP_KEEPCNT: 0x102,
  UDP_SEGMENT: null,
  UDP_GRO: null,
  IP_TTL: 4,
  IP_RECVTTL: 24,
  IP_RECVPKTINFO: 26,
  IP_MULTICAST_TTL: 10,
  IP_MULTICAST_LOOP: 11,
  IP_ADD_MEMBERSHIP: 12,
  IP_DROP_MEMBERSHIP: 13,
  IPV6_V6ONLY: 27,
  IPV6_UNICAST_HOPS: 4,
  IPV6_RECVPKTINFO: 61,
  IPV6_RECVHOPLIMIT: 37,
  IPV6_MULTICAST_IF: 9,
  IPV6_MULTICAST_HOPS: 10,
  IPV6_MULTICAST_LOOP: 11,
  IPV6_JOIN_GROUP: 12,
  IPV6_LEAVE_GROUP: 13,

  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  FD_CLOEXEC: 1,
  O_RDWR: 0x2,
  O_NONBLOCK: 0x4,
  O_CLOEXEC: 0x1000000,
  O_NOCTTY: 0x20000,
  O_APPEND: 0x8,
  O_CREAT: 0x200,
  O_EXCL: 0x800,
  O_TRUNC: 0x400,
  O_DIRECTORY: 0x100000,
  O_NOFOLLOW: 0x100,
  O_PATH: null,
  AT_SYMLINK_NOFOLLOW: 0x20,
  AT_REMOVEDIR: 0x80,

  PIPE_BUF: 512,
  TCSANOW: 0,
});

/** `struct stat` of `<sys/stat.h>` with 64 bits for an inode. */
const stat: StatLayout = {
  size: 144,
  device: 0,
  deviceBytes: 4,
  inode: 8,
  mode: 4,
  links: 6,
  linksBytes: 2,
  length: 96,
  accessed: 32,
  modified: 48,
  changed: 64,
};

/** `struct dirent` of `<dirent.h>`. */
const dirent: DirentLayout = {
  length: 16,
  inode: 0,
  type: 20,
  name: 21,
};

/** `struct msghdr` of `<sys/socket.h>`: int and socklen_t counts. */
const msghdr: MsghdrLayout = {
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

// deno-fmt-ignore: a table reads best as one
const errno = (): Readonly<Record<string, number>> => ({
  EPERM: 1, ENOENT: 2, ESRCH: 3, EINTR: 4, EIO: 5, ENXIO: 6, E2BIG: 7, ENOEXEC: 8,
  EBADF: 9, ECHILD: 10, EDEADLK: 11, ENOMEM: 12, EACCES: 13, EFAULT: 14, ENOTBLK: 15,
  EBUSY: 16, EEXIST: 17, EXDEV: 18, ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22,
  ENFILE: 23, EMFILE: 24, ENOTTY: 25, ETXTBSY: 26, EFBIG: 27, ENOSPC: 28, ESPIPE: 29,
  EROFS: 30, EMLINK: 31, EPIPE: 32, EDOM: 33, ERANGE: 34, EAGAIN: 35, EINPROGRESS: 36,
  EALREADY: 37, ENOTSOCK: 38, EDESTADDRREQ: 39, EMSGSIZE: 40, EPROTOTYPE: 41,
  ENOPROTOOPT: 42, EPROTONOSUPPORT: 43, ESOCKTNOSUPPORT: 44, ENOTSUP: 45,
  EPFNOSUPPORT: 46, EAFNOSUPPORT: 47, EADDRINUSE: 48, EADDRNOTAVAIL: 49, ENETDOWN: 50,
  ENETUNREACH: 51, ENETRESET: 52, ECONNABORTED: 53, ECONNRESET: 54, ENOBUFS: 55,
  EISCONN: 56, ENOTCONN: 57, ESHUTDOWN: 58, ETOOMANYREFS: 59, ETIMEDOUT: 60,
  ECONNREFUSED: 61, ELOOP: 62, ENAMETOOLONG: 63, EHOSTDOWN: 64, EHOSTUNREACH: 65,
  ENOTEMPTY: 66, EPROCLIM: 67, EUSERS: 68, EDQUOT: 69, ESTALE: 70, EREMOTE: 71,
  EBADRPC: 72, ERPCMISMATCH: 73, EPROGUNAVAIL: 74, EPROGMISMATCH: 75, EPROCUNAVAIL: 76,
  ENOLCK: 77, ENOSYS: 78, EFTYPE: 79, EAUTH: 80, ENEEDAUTH: 81, EPWROFF: 82, EDEVERR: 83,
  EOVERFLOW: 84, EBADEXEC: 85, EBADARCH: 86, ESHLIBVERS: 87, EBADMACHO: 88, ECANCELED: 89,
  EIDRM: 90, ENOMSG: 91, EILSEQ: 92, ENOATTR: 93, EBADMSG: 94, EMULTIHOP: 95, ENODATA: 96,
  ENOLINK: 97, ENOSR: 98, ENOSTR: 99, EPROTO: 100, ETIME: 101, EOPNOTSUPP: 102,
  ENOPOLICY: 103, ENOTRECOVERABLE: 104, EOWNERDEAD: 105, EQFULL: 106,
  // Newer than those headers.
  ENOTCAPABLE: 107,
});

/** The usual name of each processor of Deno. */
const processors: Readonly<Record<string, string>> = {
  x86_64: "x86-64",
  aarch64: "arm64",
};

/** Symbols that have another name on x86-64, where old programs keep the plain ones. */
const renamedSymbols: Readonly<Record<string, string>> = {
  // <sys/_select.h>: the plain name is the select of Mac OS X 10.4 and earlier,
  // which makes 10 ms of every shorter timeout.
  select: "select$1050",
  // <sys/cdefs.h>, __DARWIN_INODE64: the plain names have 32 bits for an inode.
  fstat: "fstat$INODE64",
  fstatat: "fstatat$INODE64",
  fdopendir: "fdopendir$INODE64",
  readdir: "readdir$INODE64",
};

/** macOS on `arch`, as `Deno.build.arch` names it. */
export function darwin(arch: string): System {
  return {
    os: "darwin",
    arch,
    name: `macOS ${processors[arch] ?? arch}`,
    // Neither is a file since macOS 11: the dynamic linker has both in its cache.
    libraries: ["/usr/lib/libSystem.B.dylib", "libSystem.B.dylib"],
    errnoSymbol: "__error",
    strerrorSymbol: "strerror_r",
    renamedSymbols: arch === "x86_64" ? renamedSymbols : {},
    variadicOnStack: arch === "aarch64",
    sockaddrHasLength: true,
    unixPathBytes: 104,
    abstractSockets: false,
    constants: constants(),
    msghdr,
    iovec: { address: 0, length: 1 },
    stat,
    dirent,
    currentDirectory: -2,
    errno: errno(),
  };
}
