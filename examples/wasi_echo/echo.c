/* An echo server for WASI preview 1, with nothing but POSIX: poll, accept, recv,
 * send. Its listener is descriptor 3. Sending waits: a client that does not read
 * its echoes keeps the others waiting.
 *
 * clang --target=wasm32-wasi --sysroot=/usr -O2 -o echo.wasm echo.c
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENER 3
#define MAX_FDS 1024
#define REST_MS 100

static struct pollfd fds[MAX_FDS];
static nfds_t count;
static char buffer[65536];

static void watch(int fd) {
  fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void drop(nfds_t i) {
  close(fds[i].fd);
  fds[i] = fds[--count];
}

static int send_all(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, data, length, 0);
    if (sent < 0) return -1;
    data += sent;
    length -= sent;
  }
  return 0;
}

/* Returns whether to accept again at once. With no descriptor left, the connection
 * that waits would end every poll. */
static int accept_one(void) {
  int fd = accept(LISTENER, NULL, NULL);
  if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
  if (count < MAX_FDS) watch(fd);
  else close(fd);
  return 1;
}

/* Returns whether the connection goes on. */
static int echo(int fd) {
  ssize_t length = recv(fd, buffer, sizeof buffer, 0);
  return length > 0 && send_all(fd, buffer, length) == 0;
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
      if (fds[i].revents != 0 && !echo(fds[i].fd)) drop(i);
    }
    if (fds[0].revents & POLLIN) accepting = accept_one();
    else if (fds[0].revents != 0) return 0;
    else accepting = 1;
  }
}
