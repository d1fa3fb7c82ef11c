/**
 * Linux on x86-64 and arm64. The numbers are those of the kernel's uapi
 * headers (`asm-generic/socket.h`, `asm-generic/fcntl.h`, `linux/eventpoll.h`,
 * `linux/udp.h`, `asm-generic/errno.h`), printed by a C program from glibc 2.36's
 * headers.
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

const constants = (isArm64: boolean): Constants => ({
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,

  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_SEQPACKET: 5,
  SOCK_NONBLOCK: 0x800,
  SOCK_CLOEXEC: 0x80000,

  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_REUSEPORT: 15,
  SO_TYPE: 3,
  SO_ERROR: 4,
  SO_BROADCAST: 6,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_OOBINLINE: 10,
  SO_ACCEPTCONN: 30,
  SO_TIMESTAMP: 35,
  SO_NOSIGPIPE: null,
  SO_EXCLUSIVEADDRUSE: null,

  MSG_OOB: 0x1,
  MSG_PEEK: 0x2,
  MSG_TRUNC: 0x20,
  MSG_CTRUNC: 0x8,
  MSG_NOSIGNAL: 0x4000,
  MSG_DONTWAIT: 0x40,
  MSG_CMSG_CLOEXEC: 0x40000000,
  SCM_RIGHTS: 1,

  SHUT_RD: 0,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  SOMAXCONN: 4096,

  IPPROTO_IP: 0,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
  IPPROTO_UDP: 17,
  TCP_NODELAY: 1,
  TCP_MAXSEG: 2,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  UDP_SEGMENT: 103,
  UDP_GRO: 104,
  IP_TTL: 2,
  IP_RECVTTL: 12,
  IP_RECVPKTINFO: 8,
  IP_MULTICAST_TTL: 33,
  IP_MULTICAST_LOOP: 34,
  IP_ADD_MEMBERSHIP: 35,
  IP_DROP_MEMBERSHIP: 36,
  IPV6_V6ONLY: 26,
  IPV6_UNICAST_HOPS: 16,
  IPV6_RECVPKTINFO: 49,
  IPV6_RECVHOPLIMIT: 51,
  IPV6_MULTICAST_IF: 17,
  IPV6_MULTICAST_HOPS: 18,
  IPV6_MULTICAST_LOOP: 19,
  IPV6_JOIN_GROUP: 20,
  IPV6_LEAVE_GROUP: 21,

  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  FD_CLOEXEC: 1,
  O_RDWR: 0x2,
  O_NONBLOCK: 0x800,
  O_CLOEXEC: 0x80000,
  O_NOCTTY: 0x100,
  O_APPEND: 0x400,
  O_CREAT: 0x40,
  O_EXCL: 0x80,
  O_TRUNC: 0x200,
  O_PATH: 0x200000,
  // <asm/fcntl.h>: arm64 keeps what 32-bit ARM had.
  O_DIRECTORY: isArm64 ? 0x4000 : 0x10000,
  O_NOFOLLOW: isArm64 ? 0x8000 : 0x20000,
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_REMOVEDIR: 0x200,

  PIPE_BUF: 4096,
  TCSANOW: 0,
});

/** `struct statx` of `<linux/stat.h>`: the same on every processor. */
const stat: StatLayout = {
  size: 256,
  device: 136,
  deviceBytes: 8,
  inode: 32,
  mode: 28,
  links: 16,
  linksBytes: 4,
  length: 40,
  accessed: 64,
  modified: 112,
  changed: 96,
};

/** `struct dirent` of `<dirent.h>`. */
const dirent: DirentLayout = {
  length: 16,
  inode: 0,
  type: 18,
  name: 19,
};

/** `struct msghdr` of glibc: size_t counts. */
const msghdr: MsghdrLayout = {
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

// deno-fmt-ignore: a table reads best as one
const errno = (): Readonly<Record<string, number>> => ({
  EPERM: 1, ENOENT: 2, ESRCH: 3, EINTR: 4, EIO: 5, ENXIO: 6, E2BIG: 7, ENOEXEC: 8,
  EBADF: 9, ECHILD: 10, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EFAULT: 14, ENOTBLK: 15,
  EBUSY: 16, EEXIST: 17, EXDEV: 18, ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22,
  ENFILE: 23, EMFILE: 24, ENOTTY: 25, ETXTBSY: 26, EFBIG: 27, ENOSPC: 28, ESPIPE: 29,
  EROFS: 30, EMLINK: 31, EPIPE: 32, EDOM: 33, ERANGE: 34, EDEADLK: 35, ENAMETOOLONG: 36,
  ENOLCK: 37, ENOSYS: 38, ENOTEMPTY: 39, ELOOP: 40, ENOMSG: 42, EIDRM: 43, ECHRNG: 44,
  EL2NSYNC: 45, EL3HLT: 46, EL3RST: 47, ELNRNG: 48, EUNATCH: 49, ENOCSI: 50, EL2HLT: 51,
  EBADE: 52, EBADR: 53, EXFULL: 54, ENOANO: 55, EBADRQC: 56, EBADSLT: 57, EBFONT: 59,
  ENOSTR: 60, ENODATA: 61, ETIME: 62, ENOSR: 63, ENONET: 64, ENOPKG: 65, EREMOTE: 66,
  ENOLINK: 67, EADV: 68, ESRMNT: 69, ECOMM: 70, EPROTO: 71, EMULTIHOP: 72, EDOTDOT: 73,
  EBADMSG: 74, EOVERFLOW: 75, ENOTUNIQ: 76, EBADFD: 77, EREMCHG: 78, ELIBACC: 79,
  ELIBBAD: 80, ELIBSCN: 81, ELIBMAX: 82, ELIBEXEC: 83, EILSEQ: 84, ERESTART: 85,
  ESTRPIPE: 86, EUSERS: 87, ENOTSOCK: 88, EDESTADDRREQ: 89, EMSGSIZE: 90, EPROTOTYPE: 91,
  ENOPROTOOPT: 92, EPROTONOSUPPORT: 93, ESOCKTNOSUPPORT: 94, EOPNOTSUPP: 95,
  EPFNOSUPPORT: 96, EAFNOSUPPORT: 97, EADDRINUSE: 98, EADDRNOTAVAIL: 99, ENETDOWN: 100,
  ENETUNREACH: 101, ENETRESET: 102, ECONNABORTED: 103, ECONNRESET: 104, ENOBUFS: 105,
  EISCONN: 106, ENOTCONN: 107, ESHUTDOWN: 108, ETOOMANYREFS: 109, ETIMEDOUT: 110,
  ECONNREFUSED: 111, EHOSTDOWN: 112, EHOSTUNREACH: 113, EALREADY: 114, EINPROGRESS: 115,
  ESTALE: 116, EUCLEAN: 117, ENOTNAM: 118, ENAVAIL: 119, EISNAM: 120, EREMOTEIO: 121,
  EDQUOT: 122, ENOMEDIUM: 123, EMEDIUMTYPE: 124, ECANCELED: 125, ENOKEY: 126,
  EKEYEXPIRED: 127, EKEYREVOKED: 128, EKEYREJECTED: 129, EOWNERDEAD: 130,
  ENOTRECOVERABLE: 131, ERFKILL: 132, EHWPOISON: 133,
});

/** The names of each processor: Deno's, Debian's, musl's. */
const processors: Readonly<Record<string, readonly [string, string]>> = {
  x86_64: ["x86-64", "x86_64"],
  aarch64: ["arm64", "aarch64"],
};

/** Linux on `arch`, as `Deno.build.arch` names it. */
export function linux(arch: string): System {
  const [processor, triplet] = processors[arch] ?? [arch, arch];
  return {
    os: "linux",
    arch,
    name: `Linux ${processor}`,
    libraries: [
      "libc.so.6",
      `/lib/${triplet}-linux-gnu/libc.so.6`,
      "/lib64/libc.so.6",
      "/usr/lib64/libc.so.6",
      "/usr/lib/libc.so.6",
      `/lib/ld-musl-${triplet}.so.1`,
    ],
    errnoSymbol: "__errno_location",
    strerrorSymbol: "__xpg_strerror_r",
    renamedSymbols: {},
    variadicOnStack: false,
    sockaddrHasLength: false,
    unixPathBytes: 108,
    abstractSockets: true,
    constants: constants(arch === "aarch64"),
    msghdr,
    iovec: { address: 0, length: 1 },
    stat,
    dirent,
    currentDirectory: -100,
    errno: errno(),
  };
}
