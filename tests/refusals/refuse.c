/*
 * Has calls of the C library fail on request, as the system might have them fail.
 *
 * Preloaded into Deno (LD_PRELOAD), it takes the place of dlsym(3), by which Deno
 * looks up what a program opens with Deno.dlopen: of the functions below it gives
 * out wrappers. What Deno itself calls was bound at its start and stays as it is.
 * The program that is tested opens this library, too, and asks for refusals.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* What is refused: a function, with a descriptor and an operation if they are not -1. */
static char refused_name[32];
static int refused_fd, refused_operation, refused_error;
/* How many calls of it are let through first, and how many are refused then. */
static atomic_int skipped, left;
static atomic_int count;

/* Refuses calls from now on; in place of what was refused before. */
void refuse(const char *name, int error, int fd, int operation, int skip, int times) {
  left = 0;
  strncpy(refused_name, name, sizeof refused_name - 1);
  refused_error = error;
  refused_fd = fd;
  refused_operation = operation;
  skipped = skip;
  count = 0;
  left = times;
}

/* How many calls were refused since then. */
int refusals(void) { return count; }

static int is_refused(const char *name, int fd, int operation) {
  if (left <= 0 || strcmp(name, refused_name) != 0) return 0;
  if (refused_fd != -1 && fd != refused_fd) return 0;
  if (refused_operation != -1 && operation != refused_operation) return 0;
  if (atomic_fetch_sub(&skipped, 1) > 0) return 0;
  if (atomic_fetch_sub(&left, 1) <= 0) return 0;
  count++;
  errno = refused_error;
  return 1;
}

/* A wrapper, and where the function itself is once it was looked up. */
#define WRAP(result, name, parameters, arguments, fd, operation) \
  static result (*next_##name) parameters; \
  static result own_##name parameters { \
    return is_refused(#name, fd, operation) ? -1 : next_##name arguments; \
  }

#define SOCKADDR struct sockaddr *address, socklen_t *length

WRAP(int, epoll_create1, (int flags), (flags), -1, -1)
WRAP(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *event), (ep, op, fd, event), fd, op)
WRAP(int, epoll_wait, (int ep, struct epoll_event *events, int most, int timeout),
     (ep, events, most, timeout), ep, -1)
WRAP(int, epoll_pwait2,
     (int ep, struct epoll_event *events, int most, const struct timespec *timeout, const sigset_t *mask),
     (ep, events, most, timeout, mask), ep, -1)
WRAP(int, poll, (struct pollfd *fds, nfds_t n, int timeout), (fds, n, timeout), -1, -1)
WRAP(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
     (fds, n, timeout, mask), -1, -1)
WRAP(int, select, (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout),
     (n, r, w, e, timeout), -1, -1)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1, -1)
WRAP(int, accept4, (int fd, SOCKADDR, int flags), (fd, address, length, flags), fd, -1)
WRAP(int, connect, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length), fd, -1)
WRAP(int, shutdown, (int fd, int how), (fd, how), fd, -1)
WRAP(int, getsockopt, (int fd, int level, int number, void *value, socklen_t *length),
     (fd, level, number, value, length), fd, number)
WRAP(ssize_t, recv, (int fd, void *buffer, size_t length, int flags), (fd, buffer, length, flags), fd, -1)
WRAP(ssize_t, send, (int fd, const void *buffer, size_t length, int flags), (fd, buffer, length, flags), fd, -1)
WRAP(ssize_t, sendto,
     (int fd, const void *buffer, size_t size, int flags, const struct sockaddr *address, socklen_t length),
     (fd, buffer, size, flags, address, length), fd, -1)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), fd, -1)
WRAP(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned int n, int flags, struct timespec *timeout),
     (fd, messages, n, flags, timeout), fd, -1)
WRAP(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned int n, int flags), (fd, messages, n, flags), fd, -1)
WRAP(ssize_t, read, (int fd, void *buffer, size_t length), (fd, buffer, length), fd, -1)
WRAP(ssize_t, write, (int fd, const void *buffer, size_t length), (fd, buffer, length), fd, -1)
WRAP(int, pipe2, (int ends[2], int flags), (ends, flags), -1, -1)
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags), -1, -1)
WRAP(int, timerfd_settime, (int fd, int flags, const struct itimerspec *value, struct itimerspec *before),
     (fd, flags, value, before), fd, -1)

WRAP(long, syscall, (long number, long a, long b, long c, long d, long e), (number, a, b, c, d, e), number, -1)

/* Refuses all calls of the function that the environment names, from the start. */
__attribute__((constructor)) static void refuse_always(void) {
  const char *name = getenv("POLLUX_REFUSE_ALWAYS");
  if (name != NULL) refuse(name, ENOSYS, -1, -1, 0, INT_MAX);
}

#define ROW(name) { #name, (void *)own_##name, (void **)&next_##name }

static const struct {
  const char *name;
  void *own;
  void **next;
} wrappers[] = {
  ROW(epoll_create1), ROW(epoll_ctl), ROW(epoll_wait), ROW(epoll_pwait2), ROW(poll), ROW(ppoll),
  ROW(select), ROW(socket), ROW(accept4), ROW(connect), ROW(shutdown), ROW(getsockopt), ROW(recv),
  ROW(send), ROW(sendto), ROW(sendmsg), ROW(recvmmsg), ROW(sendmmsg), ROW(read), ROW(write),
  ROW(pipe2), ROW(timerfd_create), ROW(timerfd_settime), ROW(syscall),
};

/* The versions of dlsym's symbol: of x86-64, of arm64, and of both since glibc 2.34. */
static const char *const versions[] = { "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17" };

void *dlsym(void *handle, const char *name) {
  static void *(*next)(void *, const char *);
  for (size_t i = 0; next == NULL && i < sizeof versions / sizeof *versions; i++) {
    next = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", versions[i]);
  }
  void *found = next(handle, name);
  for (size_t i = 0; found != NULL && i < sizeof wrappers / sizeof *wrappers; i++) {
    if (strcmp(name, wrappers[i].name) != 0) continue;
    *wrappers[i].next = found;
    return wrappers[i].own;
  }
  return found;
}
