/**
 * The C library of one operating system as its callers see it: its place, its
 * constants, the layouts of its structs.
 *
 * Each system has a table in `systems/`, made on demand: a program needs one, and all
 * six take 1 ms. Code above the tables does not ask which system it runs on, and each
 * number in them has its header named.
 *
 * @module
 */

/** The constants that every system has, under their names in C. */
export interface Constants {
  // <sys/socket.h>: address families
  readonly AF_UNIX: number;
  readonly AF_INET: number;
  readonly AF_INET6: number;

  // <sys/socket.h>: socket types; the two flags are null where socket() does not take them
  readonly SOCK_STREAM: number;
  readonly SOCK_DGRAM: number;
  readonly SOCK_RAW: number;
  readonly SOCK_SEQPACKET: number;
  readonly SOCK_NONBLOCK: number | null;
  readonly SOCK_CLOEXEC: number | null;

  // <sys/socket.h>: options of the socket level
  readonly SOL_SOCKET: number;
  readonly SO_REUSEADDR: number;
  readonly SO_REUSEPORT: number | null;
  readonly SO_TYPE: number;
  readonly SO_ERROR: number;
  readonly SO_BROADCAST: number;
  readonly SO_SNDBUF: number;
  readonly SO_RCVBUF: number;
  readonly SO_KEEPALIVE: number;
  readonly SO_LINGER: number;
  readonly SO_OOBINLINE: number;
  readonly SO_ACCEPTCONN: number;
  /** SO_TIMESTAMPNS on Linux, whose timestamps have nanoseconds; null on Windows. */
  readonly SO_TIMESTAMP: number | null;
  /** macOS only: the option that stands in for MSG_NOSIGNAL. */
  readonly SO_NOSIGPIPE: number | null;
  /** Windows only: keeps other sockets off the port of a listener. */
  readonly SO_EXCLUSIVEADDRUSE: number | null;

  // <sys/socket.h>: flags of send() and recv()
  readonly MSG_OOB: number;
  readonly MSG_PEEK: number;
  readonly MSG_TRUNC: number;
  readonly MSG_CTRUNC: number;
  readonly MSG_NOSIGNAL: number | null;
  readonly MSG_DONTWAIT: number;
  readonly MSG_CMSG_CLOEXEC: number | null;
  readonly SCM_RIGHTS: number | null;

  // <sys/socket.h>: shutdown(), listen()
  readonly SHUT_RD: number;
  readonly SHUT_WR: number;
  readonly SHUT_RDWR: number;
  readonly SOMAXCONN: number;

  // <netinet/in.h>, <netinet/tcp.h>
  readonly IPPROTO_IP: number;
  readonly IPPROTO_TCP: number;
  readonly IPPROTO_IPV6: number;
  readonly IPPROTO_UDP: number;
  readonly TCP_NODELAY: number;
  readonly TCP_MAXSEG: number;
  /** Seconds of silence before the first keep-alive probe (TCP_KEEPALIVE on macOS). */
  readonly TCP_KEEPIDLE: number | null;
  readonly TCP_KEEPINTVL: number | null;
  readonly TCP_KEEPCNT: number | null;
  /** <linux/udp.h>: the size of the datagrams that one message is split into. */
  readonly UDP_SEGMENT: number | null;
  /** <linux/udp.h>: receives several datagrams of a peer as one message. */
  readonly UDP_GRO: number | null;
  readonly IP_TTL: number;
  readonly IP_RECVTTL: number;
  /** IP_RECVPKTINFO, which Linux and macOS call IP_PKTINFO; null on FreeBSD. */
  readonly IP_RECVPKTINFO: number | null;
  readonly IP_MULTICAST_TTL: number;
  readonly IP_MULTICAST_LOOP: number;
  readonly IP_ADD_MEMBERSHIP: number;
  readonly IP_DROP_MEMBERSHIP: number;
  readonly IPV6_V6ONLY: number;
  readonly IPV6_UNICAST_HOPS: number;
  readonly IPV6_RECVPKTINFO: number;
  readonly IPV6_RECVHOPLIMIT: number;
  readonly IPV6_MULTICAST_IF: number;
  readonly IPV6_MULTICAST_HOPS: number;
  readonly IPV6_MULTICAST_LOOP: number;
  /** IPV6_JOIN_GROUP, which Linux also calls IPV6_ADD_MEMBERSHIP. */
  readonly IPV6_JOIN_GROUP: number;
  /** IPV6_LEAVE_GROUP, which Linux also calls IPV6_DROP_MEMBERSHIP. */
  readonly IPV6_LEAVE_GROUP: number;

  // <fcntl.h>
  readonly F_GETFD: number;
  readonly F_SETFD: number;
  readonly F_GETFL: number;
  readonly F_SETFL: number;
  readonly FD_CLOEXEC: number;
  readonly O_RDWR: number;
  readonly O_NONBLOCK: number;
  readonly O_CLOEXEC: number;
  /** Keeps a terminal from becoming the controlling one. */
  readonly O_NOCTTY: number;
  readonly O_APPEND: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly O_TRUNC: number;
  readonly O_DIRECTORY: number;
  readonly O_NOFOLLOW: number;
  /** A place in the tree, which takes search permission alone; Linux only. */
  readonly O_PATH: number | null;
  readonly AT_SYMLINK_NOFOLLOW: number;
  readonly AT_REMOVEDIR: number;

  // <limits.h>
  /** Bytes for which a pipe has room while poll(2) reports it as writable. */
  readonly PIPE_BUF: number;

  // <termios.h>: sets at once
  readonly TCSANOW: number;
}

/** `struct msghdr`: the BSDs count iovecs and control bytes in 32 bits, Linux in 64. */
export interface MsghdrLayout {
  readonly size: number;
  readonly name: number;
  readonly namelen: number;
  readonly iov: number;
  readonly iovlen: number;
  readonly iovlenBytes: 4 | 8;
  readonly control: number;
  readonly controllen: number;
  readonly controllenBytes: 4 | 8;
  readonly flags: number;
}

/** `struct iovec`, a piece of memory: two words, in either order. */
export interface IovecLayout {
  /** The word that is the address. */
  readonly address: 0 | 1;
  /** The word that is the length. */
  readonly length: 0 | 1;
}

/** `struct stat`, or on Linux `struct statx`, which is the same on every processor. */
export interface StatLayout {
  readonly size: number;
  readonly device: number;
  readonly deviceBytes: 4 | 8;
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly linksBytes: 2 | 4 | 8;
  /** The length of the file. */
  readonly length: number;
  /** The time of the last read: a `struct timespec`, as the two that follow. */
  readonly accessed: number;
  readonly modified: number;
  readonly changed: number;
}

/** `struct dirent`, an entry of a directory. */
export interface DirentLayout {
  /** Where the length of the entry is. */
  readonly length: number;
  readonly inode: number;
  /** The type of the file; null if entries do not have it. */
  readonly type: number | null;
  readonly name: number;
}

/** A system and a processor, by the names in `Deno.build`. */
export interface Platform {
  readonly os: string;
  readonly arch: string;
}

/** One operating system on one processor. */
export interface System extends Platform {
  readonly os:
    | "linux"
    | "darwin"
    | "freebsd"
    | "netbsd"
    | "illumos"
    | "windows";
  /** Its usual name, as in "Linux x86-64". */
  readonly name: string;
  /**
   * The places of its C library, the likeliest first. A plain name comes first, which
   * the dynamic linker resolves. Absolute paths follow, which a scoped
   * `--allow-ffi=…` can name.
   */
  readonly libraries: readonly string[];
  /** The function that returns the address of this thread's errno. */
  readonly errnoSymbol: string;
  /** The variant of `strerror_r` that fills the caller's buffer. */
  readonly strerrorSymbol: string;
  /** Symbols that have another name than in C, such as NetBSD's `__kevent50`. */
  readonly renamedSymbols: Readonly<Record<string, string>>;
  /** Apple on arm64 passes variadic arguments on the stack, after all eight registers. */
  readonly variadicOnStack: boolean;
  /** Whether `struct sockaddr` starts with its own length (the BSDs, macOS). */
  readonly sockaddrHasLength: boolean;
  /** Bytes of `sun_path` in `struct sockaddr_un`. */
  readonly unixPathBytes: number;
  /** Whether Unix sockets have the abstract namespace (Linux). */
  readonly abstractSockets: boolean;
  readonly constants: Constants;
  readonly msghdr: MsghdrLayout;
  readonly iovec: IovecLayout;
  readonly stat: StatLayout;
  readonly dirent: DirentLayout;
  /** AT_FDCWD of `<fcntl.h>`: stands for the working directory. */
  readonly currentDirectory: number;
  /** The error numbers of `<errno.h>`, by name. */
  readonly errno: Readonly<Record<string, number>>;
  /**
   * The names of numbers that `errno` has under several names, or under none; Windows
   * only.
   */
  readonly errnoNames?: Readonly<Record<number, string>>;
}
