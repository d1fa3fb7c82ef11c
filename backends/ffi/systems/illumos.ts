/**
 * illumos on x86-64. The numbers are those of the headers in illumos-gate
 * (`sys/socket.h`, `sys/socket_impl.h`, `sys/poll.h`, `sys/devpoll.h`,
 * `sys/fcntl.h`, `sys/stat.h`, `dirent.h`, `sys/un.h`, `sys/errno.h`, `netinet/in.h`,
 * `netinet/tcp.h`) of 2022.
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
  AF_INET6: 26,

  SOCK_STREAM: 2,
  SOCK_DGRAM: 1,
  SOCK_RAW: 4,
  SOCK_SEQPACKET: 6,
  SOCK_NONBLOCK: 0x100000,
  SOCK_CLOEXEC: 0x80000,

  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 0x4,
  SO_REUSEPORT: null,
  SO_TYPE: 0x1008,
  SO_ERROR: 0x1007,
  SO_BROADCAST: 0x20,
  SO_SNDBUF: 0x1001,
  SO_RCVBUF: 0x1002,
  SO_KEEPALIVE: 0x8,
  SO_LINGER: 0x80,
  SO_OOBINLINE: 0x100,
  SO_ACCEPTCONN: 0x2,
  SO_TIMESTAMP: 0x1013,
  SO_NOSIGPIPE: null,
  SO_EXCLUSIVEADDRUSE: null,

  MSG_OOB: 0x1,
  MSG_PEEK: 0x2,
  MSG_TRUNC: 0x20,
  MSG_CTRUNC: 0x10,
  MSG_NOSIGNAL: 0x200,
  MSG_DONTWAIT: 0x80,
  MSG_CMSG_CLOEXEC: 0x1000,
  SCM_RIGHTS: 0x1010,

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
  TCP_KEEPIDLE: 0x22,
  TCP_KEEPINTVL: 0x24,
  TCP_KEEPCNT: 0x23,
  UDP_SEGMENT: null,
  UDP_GRO: null,
  IP_TTL: 4,
  IP_RECVTTL: 11,
  IP_RECVPKTINFO: 26,
  IP_MULTICAST_TTL: 17,
  IP_MULTICAST_LOOP: 18,
  IP_ADD_MEMBERSHIP: 19,
  IP_DROP_MEMBERSHIP: 20,
  IPV6_V6ONLY: 0x27,
  IPV6_UNICAST_HOPS: 5,
  IPV6_RECVPKTINFO: 18,
  IPV6_RECVHOPLIMIT: 19,
  IPV6_MULTICAST_IF: 6,
  IPV6_MULTICAST_HOPS: 7,
  IPV6_MULTICAST_LOOP: 8,
  IPV6_JOIN_GROUP: 9,
  IPV6_LEAVE_GROUP: 10,

  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  FD_CLOEXEC: 1,
  O_RDWR: 0x2,
  O_NONBLOCK: 0x80,
  O_CLOEXEC: 0x800000,
  O_NOCTTY: 0x800,
  O_APPEND: 0x8,
  O_CREAT: 0x100,
  O_EXCL: 0x400,
  O_TRUNC: 0x200,
  O_DIRECTORY: 0x1000000,
  O_NOFOLLOW: 0x20000,
  O_PATH: null,
  AT_SYMLINK_NOFOLLOW: 0x1000,
  AT_REMOVEDIR: 0x1,

  PIPE_BUF: 5120,
  TCSANOW: 0x540e,
});

/** `struct stat` of `<sys/stat.h>`, _LP64. */
const stat: StatLayout = {
  size: 128,
  device: 0,
  deviceBytes: 8,
  inode: 8,
  mode: 16,
  links: 20,
  linksBytes: 4,
  length: 40,
  accessed: 48,
  modified: 64,
  changed: 80,
};

/** `struct dirent` of `<sys/dirent.h>`: its entries have no type. */
const dirent: DirentLayout = {
  length: 16,
  inode: 0,
  type: null,
  name: 18,
};

/**
 * `struct msghdr` of `<sys/socket.h>`, as X/Open lays it out: the functions
 * named `__xnet_…` take this one, the plain ones an older one without flags.
 */
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
  EBADF: 9, ECHILD: 10, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EFAULT: 14, ENOTBLK: 15,
  EBUSY: 16, EEXIST: 17, EXDEV: 18, ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22,
  ENFILE: 23, EMFILE: 24, ENOTTY: 25, ETXTBSY: 26, EFBIG: 27, ENOSPC: 28, ESPIPE: 29,
  EROFS: 30, EMLINK: 31, EPIPE: 32, EDOM: 33, ERANGE: 34, ENOMSG: 35, EIDRM: 36,
  ECHRNG: 37, EL2NSYNC: 38, EL3HLT: 39, EL3RST: 40, ELNRNG: 41, EUNATCH: 42, ENOCSI: 43,
  EL2HLT: 44, EDEADLK: 45, ENOLCK: 46, ECANCELED: 47, ENOTSUP: 48, EDQUOT: 49, EBADE: 50,
  EBADR: 51, EXFULL: 52, ENOANO: 53, EBADRQC: 54, EBADSLT: 55, EDEADLOCK: 56, EBFONT: 57,
  EOWNERDEAD: 58, ENOTRECOVERABLE: 59, ENOSTR: 60, ENODATA: 61, ETIME: 62, ENOSR: 63,
  ENONET: 64, ENOPKG: 65, EREMOTE: 66, ENOLINK: 67, EADV: 68, ESRMNT: 69, ECOMM: 70,
  EPROTO: 71, ELOCKUNMAPPED: 72, ENOTACTIVE: 73, EMULTIHOP: 74, EBADMSG: 77,
  ENAMETOOLONG: 78, EOVERFLOW: 79, ENOTUNIQ: 80, EBADFD: 81, EREMCHG: 82, ELIBACC: 83,
  ELIBBAD: 84, ELIBSCN: 85, ELIBMAX: 86, ELIBEXEC: 87, EILSEQ: 88, ENOSYS: 89, ELOOP: 90,
  ERESTART: 91, ESTRPIPE: 92, ENOTEMPTY: 93, EUSERS: 94, ENOTSOCK: 95, EDESTADDRREQ: 96,
  EMSGSIZE: 97, EPROTOTYPE: 98, ENOPROTOOPT: 99, EPROTONOSUPPORT: 120,
  ESOCKTNOSUPPORT: 121, EOPNOTSUPP: 122, EPFNOSUPPORT: 123, EAFNOSUPPORT: 124,
  EADDRINUSE: 125, EADDRNOTAVAIL: 126, ENETDOWN: 127, ENETUNREACH: 128, ENETRESET: 129,
  ECONNABORTED: 130, ECONNRESET: 131, ENOBUFS: 132, EISCONN: 133, ENOTCONN: 134,
  ESHUTDOWN: 143, ETOOMANYREFS: 144, ETIMEDOUT: 145, ECONNREFUSED: 146, EHOSTDOWN: 147,
  EHOSTUNREACH: 148, EALREADY: 149, EINPROGRESS: 150, ESTALE: 151,
});

/** The usual name of each processor of Deno. */
const processors: Readonly<Record<string, string>> = {
  x86_64: "x86-64",
  aarch64: "arm64",
};

/**
 * The names that `<sys/socket.h>` gives these functions in programs written to
 * X/Open's rules. The plain names keep the functions of SunOS.
 */
const renamedSymbols: Readonly<Record<string, string>> = {
  bind: "__xnet_bind",
  connect: "__xnet_connect",
  getsockopt: "__xnet_getsockopt",
  recvmsg: "__xnet_recvmsg",
  sendmsg: "__xnet_sendmsg",
  sendto: "__xnet_sendto",
  socket: "__xnet_socket",
  socketpair: "__xnet_socketpair",
};

/** illumos on `arch`, as `Deno.build.arch` names it. */
export function illumos(arch: string): System {
  return {
    os: "illumos",
    arch,
    name: `illumos ${processors[arch] ?? arch}`,
    // The socket functions are not in libc but here. This library is linked
    // with libc, so a look-up in it finds the functions of both.
    libraries: ["libsocket.so.1", "/lib/64/libsocket.so.1"],
    errnoSymbol: "___errno",
    strerrorSymbol: "strerror_r",
    renamedSymbols,
    variadicOnStack: false,
    sockaddrHasLength: false,
    unixPathBytes: 108,
    abstractSockets: false,
    constants: constants(),
    msghdr,
    iovec: { address: 0, length: 1 },
    stat,
    dirent,
    currentDirectory: 0xffd19553 | 0,
    errno: errno(),
  };
}
