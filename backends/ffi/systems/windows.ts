/**
 * Windows on x86-64 and arm64. The numbers are those of `<winsock2.h>`, `<ws2def.h>`,
 * `<ws2ipdef.h>`, `<mswsock.h>` and `<winerror.h>`, read in the headers of mingw-w64.
 *
 * Windows has no errno: the last error of a thread takes its place. The errors of
 * sockets are numbers from 10000, which Winsock derived from BSD's. All others are
 * numbers of Windows itself.
 *
 * @module
 */

import type { Constants, MsghdrLayout, System } from "../system.ts";

/** The constants of sockets. */
const sockets = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 23,

  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_SEQPACKET: 5,
  SOCK_NONBLOCK: null,
  SOCK_CLOEXEC: null,

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
  SO_TIMESTAMP: null,
  SO_NOSIGPIPE: null,
  // ~SO_REUSEADDR
  SO_EXCLUSIVEADDRUSE: -5,

  MSG_OOB: 0x1,
  MSG_PEEK: 0x2,
  // <mswsock.h>
  MSG_TRUNC: 0x100,
  MSG_CTRUNC: 0x200,
  MSG_NOSIGNAL: null,
  MSG_CMSG_CLOEXEC: null,
  SCM_RIGHTS: null,

  // SD_RECEIVE, SD_SEND, SD_BOTH
  SHUT_RD: 0,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  SOMAXCONN: 0x7fffffff,

  IPPROTO_IP: 0,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
  IPPROTO_UDP: 17,
  TCP_NODELAY: 1,
  // <ws2ipdef.h> of the Windows SDK; TCP_KEEPIDLE is TCP_KEEPALIVE
  TCP_MAXSEG: 4,
  TCP_KEEPIDLE: 3,
  TCP_KEEPINTVL: 17,
  TCP_KEEPCNT: 16,
  UDP_SEGMENT: null,
  UDP_GRO: null,
  IP_TTL: 4,
  IP_RECVTTL: 21,
  // IP_PKTINFO
  IP_RECVPKTINFO: 19,
  IP_MULTICAST_TTL: 10,
  IP_MULTICAST_LOOP: 11,
  IP_ADD_MEMBERSHIP: 12,
  IP_DROP_MEMBERSHIP: 13,
  IPV6_V6ONLY: 27,
  IPV6_UNICAST_HOPS: 4,
  // IPV6_PKTINFO and IPV6_HOPLIMIT
  IPV6_RECVPKTINFO: 19,
  IPV6_RECVHOPLIMIT: 21,
  IPV6_MULTICAST_IF: 9,
  IPV6_MULTICAST_HOPS: 10,
  IPV6_MULTICAST_LOOP: 11,
  IPV6_JOIN_GROUP: 12,
  IPV6_LEAVE_GROUP: 13,
} as const;

/** The constants of descriptors, files and terminals, none of which Windows has. */
const MISSING = [
  "MSG_DONTWAIT",
  "F_GETFD",
  "F_SETFD",
  "F_GETFL",
  "F_SETFL",
  "FD_CLOEXEC",
  "O_RDWR",
  "O_NONBLOCK",
  "O_CLOEXEC",
  "O_NOCTTY",
  "O_APPEND",
  "O_CREAT",
  "O_EXCL",
  "O_TRUNC",
  "O_DIRECTORY",
  "O_NOFOLLOW",
  "O_PATH",
  "AT_SYMLINK_NOFOLLOW",
  "AT_REMOVEDIR",
  "PIPE_BUF",
  "TCSANOW",
] as const;

/** WSAMSG of `<ws2def.h>`: its counts have 32 bits, and WSABUF is the control part. */
const msghdr: MsghdrLayout = {
  size: 56,
  name: 0,
  namelen: 8,
  iov: 16,
  iovlen: 24,
  iovlenBytes: 4,
  control: 40,
  controllen: 32,
  controllenBytes: 4,
  flags: 48,
};

/**
 * The numbers under the names that a POSIX program asks for. Several names share a
 * number where Winsock does not distinguish them: `EINPROGRESS` of a connect is
 * `WSAEWOULDBLOCK`, and a closed number is `WSAENOTSOCK`.
 */
// deno-fmt-ignore: a table reads best as one
const errno = (): Readonly<Record<string, number>> => ({
  // ERROR_FILE_NOT_FOUND, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_SAME_DEVICE, ERROR_NOT_SUPPORTED,
  // ERROR_CALL_NOT_IMPLEMENTED, ERROR_ALREADY_EXISTS, ERROR_DIRECTORY,
  // ERROR_OPERATION_ABORTED, ERROR_IO_DEVICE, ERROR_PRIVILEGE_NOT_HELD,
  // ERROR_NO_SYSTEM_RESOURCES
  ENOENT: 2, ENOMEM: 8, EXDEV: 17, ENOTSUP: 50, ENOSYS: 120, EEXIST: 183, ENOTDIR: 267,
  ECANCELED: 995, EIO: 1117,
  EPERM: 1314, ENFILE: 1450, EINTR: 10004, EACCES: 10013, EFAULT: 10014, EINVAL: 10022,
  EMFILE: 10024, EAGAIN: 10035, EINPROGRESS: 10035, EALREADY: 10037,
  EBADF: 10038, ENOTSOCK: 10038, EDESTADDRREQ: 10039, EMSGSIZE: 10040,
  EPROTOTYPE: 10041, ENOPROTOOPT: 10042, EPROTONOSUPPORT: 10043,
  ESOCKTNOSUPPORT: 10044, EOPNOTSUPP: 10045, EPFNOSUPPORT: 10046, EAFNOSUPPORT: 10047,
  EADDRINUSE: 10048, EADDRNOTAVAIL: 10049, ENETDOWN: 10050, ENETUNREACH: 10051,
  ENETRESET: 10052, ECONNABORTED: 10053, ECONNRESET: 10054, ENOBUFS: 10055,
  EISCONN: 10056, ENOTCONN: 10057, EPIPE: 10058, ESHUTDOWN: 10058,
  ETOOMANYREFS: 10059, ETIMEDOUT: 10060, ECONNREFUSED: 10061, ELOOP: 10062,
  ENAMETOOLONG: 10063, EHOSTDOWN: 10064, EHOSTUNREACH: 10065, ENOTEMPTY: 10066,
  EUSERS: 10068, EDQUOT: 10069, ESTALE: 10070, EREMOTE: 10071,
});

/** The name that wins where several share a number, and the names of Windows' own numbers. */
// deno-fmt-ignore: a table reads best as one
const errnoNames = (): Readonly<Record<number, string>> => ({
  10035: "EAGAIN", 10038: "EBADF", 10058: "EPIPE",
  // ERROR_PATH_NOT_FOUND, ERROR_TOO_MANY_OPEN_FILES, ERROR_ACCESS_DENIED,
  // ERROR_INVALID_HANDLE, ERROR_OUTOFMEMORY, ERROR_SHARING_VIOLATION,
  // ERROR_NETNAME_DELETED, ERROR_FILE_EXISTS, ERROR_INVALID_PARAMETER, ERROR_BROKEN_PIPE
  3: "ENOENT", 4: "EMFILE", 5: "EACCES", 6: "EBADF", 14: "ENOMEM", 32: "EBUSY",
  64: "ECONNRESET", 80: "EEXIST", 87: "EINVAL", 109: "EPIPE",
  // ERROR_CONNECTION_REFUSED, ERROR_NETWORK_UNREACHABLE, ERROR_HOST_UNREACHABLE,
  // ERROR_CONNECTION_ABORTED
  1225: "ECONNREFUSED", 1231: "ENETUNREACH", 1232: "EHOSTUNREACH",
  1236: "ECONNABORTED",
  // WSAEBADF, WSAEINPROGRESS
  10009: "EBADF", 10036: "EINPROGRESS",
});

/** Adds members that throw: code that needs one does not run on Windows. */
function lacking<T extends object>(
  target: object,
  names: readonly string[],
): T {
  for (const name of names) {
    const get = (): never => {
      throw new Deno.errors.NotSupported(`Windows has no ${name}`);
    };
    Object.defineProperty(target, name, { get, enumerable: true });
  }
  return target as T;
}

/** Windows on `arch`, as `Deno.build.arch` names it. */
export function windows(arch: string): System {
  const processor = arch === "aarch64" ? "arm64" : "x86-64";
  return lacking<System>(
    {
      os: "windows",
      arch,
      name: `Windows ${processor}`,
      libraries: ["ws2_32.dll", "C:\\Windows\\System32\\ws2_32.dll"],
      strerrorSymbol: "strerror_r",
      renamedSymbols: {},
      variadicOnStack: false,
      sockaddrHasLength: false,
      // UNIX_PATH_MAX of <afunix.h>
      unixPathBytes: 108,
      abstractSockets: false,
      constants: lacking<Constants>({ ...sockets }, MISSING),
      msghdr,
      // WSABUF: the length comes first, and padding fills its word.
      iovec: { address: 1, length: 0 },
      errno: errno(),
      errnoNames: errnoNames(),
    } satisfies Partial<Record<keyof System, unknown>>,
    [
      "errnoSymbol",
      "stat",
      "dirent",
      "currentDirectory",
    ],
  );
}
