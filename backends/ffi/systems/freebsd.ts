/**
 * FreeBSD 12 and later on x86-64 and arm64. The numbers are those of the
 * system headers (`sys/socket.h`, `sys/event.h`, `sys/poll.h`, `sys/fcntl.h`, `sys/stat.h`, `dirent.h`,
 * `sys/un.h`, `sys/errno.h`, `netinet/in.h`, `netinet6/in6.h`,
 * `netinet/tcp.h`) of FreeBSD 14.
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
  AF_INET6: 28,

  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_SEQPACKET: 5,
  SOCK_NONBLOCK: 0x20000000,
  SOCK_CLOEXEC: 0x10000000,

  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 0x4,
  SO_REUSEPORT: 0x200,
  SO_TYPE: 0x1008,
  SO_ERROR: 0x1007,
  SO_BROADCAST: 0x20,
  SO_SNDBUF: 0x1001,
  SO_RCVBUF: 0x1002,
  SO_KEEPALIVE: 0x8,
  SO_LINGER: 0x80,
  SO_OOBINLINE: 0x100,
  SO_ACCEPTCONN: 0x2,
  SO_TIMESTAMP: 0x400,
  // 0x800 here too, but MSG_NOSIGNAL needs no call of its own.
  SO_NOSIGPIPE: null,
  SO_EXCLUSIVEADDRUSE: null,

  MSG_OOB: 0x1,
  MSG_PEEK: 0x2,
  MSG_TRUNC: 0x10,
  MSG_CTRUNC: 0x20,
  MSG_NOSIGNAL: 0x20000,
  MSG_DONTWAIT: 0x80,
  MSG_CMSG_CLOEXEC: 0x40000,
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
  TCP_KEEPIDLE: 0x100,
  TCP_KEEPINTVL: 0x200,
  TCP_KEEPCNT: 0x400,
  UDP_SEGMENT: null,
  UDP_GRO: null,
  IP_TTL: 4,
  IP_RECVTTL: 65,
  IP_RECVPKTINFO: null,
  IP_MULTICAST_TTL: 10,
  IP_MULTICAST_LOOP: 11,
  IP_ADD_MEMBERSHIP: 12,
  IP_DROP_MEMBERSHIP: 13,
  IPV6_V6ONLY: 27,
  IPV6_UNICAST_HOPS: 4,
  IPV6_RECVPKTINFO: 36,
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
  O_CLOEXEC: 0x100000,
  O_NOCTTY: 0x8000,
  O_APPEND: 0x8,
  O_CREAT: 0x200,
  O_EXCL: 0x800,
  O_TRUNC: 0x400,
  O_DIRECTORY: 0x20000,
  O_NOFOLLOW: 0x100,
  O_PATH: null,
  AT_SYMLINK_NOFOLLOW: 0x200,
  AT_REMOVEDIR: 0x800,

  PIPE_BUF: 512,
  TCSANOW: 0,
});

/** `struct stat` of `<sys/stat.h>` since FreeBSD 12. */
const stat: StatLayout = {
  size: 224,
  device: 0,
  deviceBytes: 8,
  inode: 8,
  mode: 24,
  links: 16,
  linksBytes: 8,
  length: 112,
  accessed: 48,
  modified: 64,
  changed: 80,
};

/** `struct dirent` of `<dirent.h>`. */
const dirent: DirentLayout = {
  length: 16,
  inode: 0,
  type: 18,
  name: 24,
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
  ENOPROTOOPT: 42, EPROTONOSUPPORT: 43, ESOCKTNOSUPPORT: 44, EOPNOTSUPP: 45,
  EPFNOSUPPORT: 46, EAFNOSUPPORT: 47, EADDRINUSE: 48, EADDRNOTAVAIL: 49, ENETDOWN: 50,
  ENETUNREACH: 51, ENETRESET: 52, ECONNABORTED: 53, ECONNRESET: 54, ENOBUFS: 55,
  EISCONN: 56, ENOTCONN: 57, ESHUTDOWN: 58, ETOOMANYREFS: 59, ETIMEDOUT: 60,
  ECONNREFUSED: 61, ELOOP: 62, ENAMETOOLONG: 63, EHOSTDOWN: 64, EHOSTUNREACH: 65,
  ENOTEMPTY: 66, EPROCLIM: 67, EUSERS: 68, EDQUOT: 69, ESTALE: 70, EREMOTE: 71,
  EBADRPC: 72, ERPCMISMATCH: 73, EPROGUNAVAIL: 74, EPROGMISMATCH: 75, EPROCUNAVAIL: 76,
  ENOLCK: 77, ENOSYS: 78, EFTYPE: 79, EAUTH: 80, ENEEDAUTH: 81, EIDRM: 82, ENOMSG: 83,
  EOVERFLOW: 84, ECANCELED: 85, EILSEQ: 86, ENOATTR: 87, EDOOFUS: 88, EBADMSG: 89,
  EMULTIHOP: 90, ENOLINK: 91, EPROTO: 92, ENOTCAPABLE: 93, ECAPMODE: 94,
  ENOTRECOVERABLE: 95, EOWNERDEAD: 96, EINTEGRITY: 97,
});

/** The usual name of each processor of Deno. */
const processors: Readonly<Record<string, string>> = {
  x86_64: "x86-64",
  aarch64: "arm64",
};

/** FreeBSD on `arch`, as `Deno.build.arch` names it. */
export function freebsd(arch: string): System {
  return {
    os: "freebsd",
    arch,
    name: `FreeBSD ${processors[arch] ?? arch}`,
    libraries: ["libc.so.7", "/lib/libc.so.7"],
    errnoSymbol: "__error",
    strerrorSymbol: "strerror_r",
    renamedSymbols: {},
    variadicOnStack: false,
    sockaddrHasLength: true,
    unixPathBytes: 104,
    abstractSockets: false,
    constants: constants(),
    msghdr,
    iovec: { address: 0, length: 1 },
    stat,
    dirent,
    currentDirectory: -100,
    errno: errno(),
  };
}
