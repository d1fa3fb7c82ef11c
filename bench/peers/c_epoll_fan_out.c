/*
 * The yardstick for fan-out: the bytes of one connection are sent to all others. A
 * reader whose send buffer is full is closed.
 *
 *     cc -O2 -o c_epoll_fan_out c_epoll_fan_out.c && ./c_epoll_fan_out 8001
 */

#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, MAX_EVENTS = 1024, MAX_FDS = 65536 };

static char *buffer;
static int readers[MAX_FDS], places[MAX_FDS], reader_count;
static int epoll;

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) fail("epoll_ctl");
}

static void add(int fd) {
  places[fd] = reader_count;
  readers[reader_count++] = fd;
  watch(fd);
}

/* The last reader takes the place of the closed one. */
static void drop(int fd) {
  int last = readers[--reader_count];
  readers[places[fd]] = last;
  places[last] = places[fd];
  close(fd);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= MAX_FDS) close(fd);
    else add(fd);
  }
}

static void pass_on(int from) {
  ssize_t received = recv(from, buffer, BUFFER_BYTES, 0);
  if (received <= 0) {
    if (received == 0 || (errno != EAGAIN && errno != EINTR)) drop(from);
    return;
  }
  for (int i = reader_count - 1; i >= 0; i--) {
    int fd = readers[i];
    if (fd != from && send(fd, buffer, received, MSG_NOSIGNAL) != received) drop(fd);
  }
}

int main(int argc, char **argv) {
  static struct epoll_event events[MAX_EVENTS];
  int listener = listen_on(address_of(argc, argv));
  buffer = new_buffer(BUFFER_BYTES);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(listener);
  for (;;) {
    int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else pass_on(fd);
    }
  }
}
