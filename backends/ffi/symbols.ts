/**
 * The functions of the C library that Pollux calls: the prototype of each from its
 * man page, and below it the types for `Deno.dlopen`.
 *
 * The types decide the cost of a call. V8 calls a symbol directly, in about 10 ns, as
 * long as no argument needs a conversion. So lengths are `u32` (a number into `usize`
 * costs 140 ns), results `i32`, and memory is a `buffer`. Lengths and results stay
 * below 2^31, where the narrow types and C's `size_t` and `ssize_t` agree in every
 * register.
 *
 * Functions that only adapters call are in `file_calls.ts` and `process_calls.ts`, for a
 * shorter start.
 *
 * @module
 */

/** A function of C, as `Deno.dlopen` takes it. */
export interface Definition<
  Parameters extends readonly Deno.NativeType[],
  Result extends Deno.NativeResultType,
> {
  readonly parameters: Parameters;
  readonly result: Result;
}

type Types = readonly Deno.NativeType[];

export function i32<const P extends Types>(
  ...parameters: P
): Definition<P, "i32"> {
  return { parameters, result: "i32" };
}

export function i64<const P extends Types>(
  ...parameters: P
): Definition<P, "i64"> {
  return { parameters, result: "i64" };
}

export function nothing<const P extends Types>(
  ...parameters: P
): Definition<P, "void"> {
  return { parameters, result: "void" };
}

export function u32<const P extends Types>(
  ...parameters: P
): Definition<P, "u32"> {
  return { parameters, result: "u32" };
}

export function u64<const P extends Types>(
  ...parameters: P
): Definition<P, "u64"> {
  return { parameters, result: "u64" };
}

export function pointer<const P extends Types>(
  ...parameters: P
): Definition<P, "pointer"> {
  return { parameters, result: "pointer" };
}

/** The symbol `name`, for a key that is not the name of the symbol. */
export function named<const Name extends string, D>(
  name: Name,
  definition: D,
): D & { readonly name: Name } {
  return { ...definition, name };
}

/**
 * The same function as a parked call: it runs on another thread, and its promise
 * settles when it returns. See `parked_call.ts`.
 */
export function parked<const Name extends string, D>(
  name: Name,
  definition: D,
): D & { readonly name: Name; readonly nonblocking: true } {
  return { ...definition, name, nonblocking: true };
}

/** A function that some systems lack; there it is null. */
export function optional<D>(definition: D): D & { readonly optional: true } {
  return { ...definition, optional: true };
}

const poll = i32("buffer", "u32", "i32");
const select = i32("i32", "buffer", "buffer", "buffer", "buffer");
const epollWait = optional(i32("i32", "buffer", "i32", "i32"));
const ioctl = optional(i32("i32", "u32", "buffer"));

/** Sockets: `<sys/socket.h>`. */
const sockets = {
  // int socket(int domain, int type, int protocol)
  socket: i32("i32", "i32", "i32"),
  // int socketpair(int domain, int type, int protocol, int sv[2])
  socketpair: i32("i32", "i32", "i32", "buffer"),
  // int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen)
  bind: i32("i32", "buffer", "u32"),
  // int listen(int sockfd, int backlog)
  listen: i32("i32", "i32"),
  // int accept(int sockfd, struct sockaddr *addr, socklen_t *addrlen)
  accept: i32("i32", "buffer", "buffer"),
  // int accept4(int sockfd, struct sockaddr *addr, socklen_t *addrlen, int flags)
  accept4: optional(i32("i32", "buffer", "buffer", "i32")),
  // int connect(int sockfd, const struct sockaddr *addr, socklen_t addrlen)
  connect: i32("i32", "buffer", "u32"),
  // int shutdown(int sockfd, int how)
  shutdown: i32("i32", "i32"),
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags)
  recv: i32("i32", "buffer", "u32", "i32"),
  // ssize_t recvfrom(int sockfd, void *buf, size_t len, int flags,
  //                  struct sockaddr *src_addr, socklen_t *addrlen)
  recvfrom: i32("i32", "buffer", "u32", "i32", "buffer", "buffer"),
  // ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags)
  recvmsg: i32("i32", "buffer", "i32"),
  // int recvmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags,
  //              struct timespec *timeout)
  recvmmsg: optional(i32("i32", "buffer", "u32", "i32", "buffer")),
  // ssize_t send(int sockfd, const void *buf, size_t len, int flags)
  send: i32("i32", "buffer", "u32", "i32"),
  // ssize_t sendto(int sockfd, const void *buf, size_t len, int flags,
  //                const struct sockaddr *dest_addr, socklen_t addrlen)
  sendto: i32("i32", "buffer", "u32", "i32", "buffer", "u32"),
  // ssize_t sendmsg(int sockfd, const struct msghdr *msg, int flags)
  sendmsg: i32("i32", "buffer", "i32"),
  // int sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags)
  sendmmsg: optional(i32("i32", "buffer", "u32", "i32")),
  // int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen)
  getsockopt: i32("i32", "i32", "i32", "buffer", "buffer"),
  // int setsockopt(int sockfd, int level, int optname, const void *optval,
  //                socklen_t optlen)
  setsockopt: i32("i32", "i32", "i32", "buffer", "u32"),
  // int getsockname(int sockfd, struct sockaddr *addr, socklen_t *addrlen)
  getsockname: i32("i32", "buffer", "buffer"),
  // int getpeername(int sockfd, struct sockaddr *addr, socklen_t *addrlen)
  getpeername: i32("i32", "buffer", "buffer"),
  // unsigned int if_nametoindex(const char *ifname)
  if_nametoindex: optional(u32("buffer")),
};

/** Descriptors: `<unistd.h>`, `<fcntl.h>`, `<termios.h>`, `<sys/ioctl.h>`. */
const descriptors = {
  // ssize_t read(int fd, void *buf, size_t count)
  read: i32("i32", "buffer", "u32"),
  // ssize_t write(int fd, const void *buf, size_t count)
  write: i32("i32", "buffer", "u32"),
  // int close(int fd)
  close: i32("i32"),
  // int dup(int oldfd)
  dup: i32("i32"),
  // int dup3(int oldfd, int newfd, int flags)
  dup3: optional(i32("i32", "i32", "i32")),
  // int pipe(int pipefd[2])
  pipe: i32("buffer"),
  // int pipe2(int pipefd[2], int flags)
  pipe2: optional(i32("buffer", "i32")),
  // int fcntl(int fd, int op, ... /* int arg */)
  fcntl: i32("i32", "i32", "i32"),
  // int open(const char *pathname, int flags, ... /* mode_t mode */)
  open: i32("buffer", "i32", "i32"),
  // int tcgetattr(int fd, struct termios *termios_p)
  tcgetattr: i32("i32", "buffer"),
  // int tcsetattr(int fd, int optional_actions, const struct termios *termios_p)
  tcsetattr: i32("i32", "i32", "buffer"),
  // void cfmakeraw(struct termios *termios_p)
  cfmakeraw: nothing("buffer"),
  // int ptsname_r(int fd, char *buf, size_t buflen), which returns an error number
  ptsname_r: optional(i32("i32", "buffer", "u32")),
  // int ioctl(int fd, unsigned long op, ... /* char *argp */)
  ioctl,
  ioctlNumber: named("ioctl", optional(i32("i32", "u32", "i32"))),
  ioctlParked: parked("ioctl", ioctl),
  // int eventfd(unsigned int initval, int flags)
  eventfd: optional(i32("u32", "i32")),
  // int timerfd_create(int clockid, int flags)
  timerfd_create: optional(i32("i32", "i32")),
  // int timerfd_settime(int fd, int flags, const struct itimerspec *new_value,
  //                     struct itimerspec *old_value)
  timerfd_settime: optional(i32("i32", "i32", "buffer", "pointer")),
};

/** Files: `<unistd.h>`, `<sys/stat.h>`. */
const files = {
  // int unlink(const char *pathname)
  unlink: i32("buffer"),
  // int statx(int dirfd, const char *pathname, int flags, unsigned int mask,
  //           struct statx *statxbuf)
  statx: optional(i32("i32", "buffer", "i32", "u32", "buffer")),
  // int fstatat(int dirfd, const char *pathname, struct stat *statbuf, int flags)
  fstatat: optional(i32("i32", "buffer", "buffer", "i32")),
  // int fstat(int fd, struct stat *statbuf)
  fstat: optional(i32("i32", "buffer")),
};

/** Waiting: `<poll.h>`, `<sys/select.h>`, `<sys/epoll.h>`. */
const waits = {
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout)
  poll,
  pollParked: parked("poll", poll),
  // int ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *tmo_p,
  //           const sigset_t *sigmask)
  ppoll: optional(i32("buffer", "u32", "buffer", "pointer")),
  // int select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds,
  //            struct timeval *timeout)
  select,
  selectParked: parked("select", select),
  // int epoll_create1(int flags)
  epoll_create1: optional(i32("i32")),
  // int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
  epoll_ctl: optional(i32("i32", "i32", "i32", "buffer")),
  // int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
  epoll_wait: epollWait,
  epoll_waitParked: parked("epoll_wait", epollWait),
  // int epoll_pwait2(int epfd, struct epoll_event *events, int maxevents,
  //                  const struct timespec *timeout, const sigset_t *sigmask)
  epoll_pwait2: optional(i32("i32", "buffer", "i32", "buffer", "pointer")),
};

/** Linux AIO, which no C library wraps: `long syscall(long number, ...)`. */
const aio = {
  // int io_setup(unsigned int nr_events, aio_context_t *ctx_idp)
  io_setup: named("syscall", optional(i32("i64", "u32", "buffer"))),
  // int io_submit(aio_context_t ctx_id, long nr, struct iocb **iocbpp)
  io_submit: named("syscall", optional(i32("i64", "u64", "i64", "buffer"))),
  // int io_cancel(aio_context_t ctx_id, struct iocb *iocb, struct io_event *result)
  io_cancel: named("syscall", optional(i32("i64", "u64", "u64", "buffer"))),
  // int io_getevents(aio_context_t ctx_id, long min_nr, long nr,
  //                  struct io_event *events, struct timespec *timeout)
  io_getevents: named(
    "syscall",
    optional(i32("i64", "u64", "i64", "i64", "buffer", "buffer")),
  ),
};

/** Memory and errors: `<string.h>`, `<errno.h>`. */
const memory = {
  // void *memcpy(void *dest, const void *src, size_t n)
  memcpyFrom: named("memcpy", pointer("buffer", "pointer", "u32")),
  memcpyFromAddress: named("memcpy", pointer("buffer", "u64", "u32")),
  memcpyParked: parked("memcpy", pointer("buffer", "buffer", "u32")),
  // size_t strlen(const char *s)
  strlen: u32("u64"),
  strlenFrom: named("strlen", u32("pointer")),
  // memcpy(buffer, buffer, 0) returns its first argument: the address of a buffer,
  // even where --allow-ffi is scoped and Deno.UnsafePointer is denied.
  addressOf: named("memcpy", u64("buffer", "buffer", "u32")),
  // int strerror_r(int errnum, char *buf, size_t buflen)
  strerror_r: i32("i32", "buffer", "u32"),
};

/**
 * The variadic functions as Apple's arm64 takes them. It expects variadic arguments
 * on the stack: unused words fill the registers up to x7, before the argument itself.
 */
const variadicOnStack = {
  ioctlOnStack: named(
    "ioctl",
    i32("i32", "u32", "u32", "u32", "u32", "u32", "u32", "u32", "buffer"),
  ),
  ioctlNumberOnStack: named(
    "ioctl",
    i32("i32", "u32", "u32", "u32", "u32", "u32", "u32", "u32", "i32"),
  ),
  fcntlOnStack: named(
    "fcntl",
    i32("i32", "i32", "u32", "u32", "u32", "u32", "u32", "u32", "i32"),
  ),
  openOnStack: named(
    "open",
    i32("buffer", "i32", "u32", "u32", "u32", "u32", "u32", "u32", "i32"),
  ),
};

/** The functions of each start, by subject. */
export const tables: readonly Deno.ForeignLibraryInterface[] = [
  sockets,
  descriptors,
  files,
  waits,
  aio,
  memory,
  variadicOnStack,
];

/** The types of all of them. */
export type Functions =
  & typeof sockets
  & typeof descriptors
  & typeof files
  & typeof waits
  & typeof aio
  & typeof memory
  & typeof variadicOnStack;
