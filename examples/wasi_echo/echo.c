/* An echo server for WASI preview 1, with nothing but POSIX: poll, accept, recv,
 * send. Its listener is descriptor 3.
 *
 * clang --target=wasm32-wasi --sysroot=/usr -O2 -o echo.wasm echo.c
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENER 3
#define MAX_FDS 1024
#define REST_MS 100

/* Of each connection the bytes that there was no room for: until they are sent,
 * nothing more is read from it. */
struct unsent {
  char *data;
  size_t length;
};

static struct pollfd fds[MAX_FDS];
static struct unsent unsent[MAX_FDS];
static nfds_t count;
static char buffer[65536];

static void watch(int fd) {
  fds[count] = (struct pollfd){.fd = fd, .events = POLLIN};
  unsent[count++] = (struct unsent){0};
}

static void drop(nfds_t i) {
  close(fds[i].fd);
  free(unsent[i].data);
  fds[i] = fds[--count];
  unsent[i] = unsent[count];
}

/* Returns whether to accept again at once. With no descriptor left, the connection
 * that waits would end every poll. */
static int accept_one(void) {
  int fd = accept(LISTENER, NULL, NULL);
  if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
  if (count < MAX_FDS && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) watch(fd);
  else close(fd);
  return 1;
}

/* Sends what there is room for, and keeps the rest. */
static int send_some(nfds_t i, const char *data, size_t length) {
  ssize_t sent = send(fds[i].fd, data, length, 0);
  if (sent < 0 && errno != EAGAIN) return 0;
  if (sent < 0) sent = 0;
  size_t rest = length - sent;
  char *kept = rest > 0 ? malloc(rest) : NULL;
  if (rest > 0 && kept == NULL) return 0;
  if (rest > 0) memcpy(kept, data + sent, rest);
  free(unsent[i].data);
  unsent[i] = (struct unsent){kept, rest};
  fds[i].events = rest > 0 ? POLLOUT : POLLIN;
  return 1;
}

/* Returns whether the connection goes on. */
static int echo(nfds_t i) {
  if (unsent[i].length > 0) return send_some(i, unsent[i].data, unsent[i].length);
  ssize_t length = recv(fds[i].fd, buffer, sizeof buffer, 0);
  if (length < 0) return errno == EAGAIN;
  return length > 0 && send_some(i, buffer, length);
}

int main(void) {
  watch(LISTENER);
  puts("Listening on descriptor 3");
  fflush(stdout);
  for (int accepting = 1;;) {
    /* The listener is the first: a rest leaves it out. */
    nfds_t first = accepting ? 0 : 1;
    fds[0].revents = 0;
    if (poll(fds + first, count - first, accepting ? -1 : REST_MS) < 0) {
      fprintf(stderr, "poll: %s\n", strerror(errno));
      return 1;
    }
    /* Backwards, since the last one takes the place of one that is dropped. */
    for (nfds_t i = count; i-- > 1;) {
      if (fds[i].revents != 0 && !echo(i)) drop(i);
    }
    if (fds[0].revents & POLLIN) accepting = accept_one();
    else if (fds[0].revents != 0) return 0;
    else accepting = 1;
  }
}
