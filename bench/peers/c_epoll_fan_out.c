/*
 * The yardstick for fan-out: what one connection sends goes to all others. A
 * reader that does not keep up is dropped.
 *
 *     cc -O2 -o c_epoll_fan_out c_epoll_fan_out.c && ./c_epoll_fan_out 8001
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, MAX_EVENTS = 1024, MAX_FDS = 65536 };

static char buffer[BUFFER_BYTES];
static int readers[MAX_FDS], places[MAX_FDS], reader_count;
static int epoll;

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) fail("epoll_ctl");
}

static int listen_on(int port) {
  int one = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1) fail("bind");
  if (listen(fd, SOMAXCONN) == -1) fail("listen");
  return fd;
}

static void add(int fd) {
  places[fd] = reader_count;
  readers[reader_count++] = fd;
  watch(fd);
}

/* The last reader takes the place of the one that leaves. */
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
  ssize_t received = recv(from, buffer, sizeof buffer, 0);
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
  int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8001);
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
