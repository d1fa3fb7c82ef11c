/*
 * The yardstick: an echo server on raw epoll, as plain and as fast as C has it.
 *
 * Level-triggered, one recv and one send for an event, one receive buffer for
 * all connections, TCP_NODELAY inherited from the listener. What send() does
 * not take is kept, and until it is gone its connection is not read.
 *
 *     cc -O2 -o c_epoll_echo c_epoll_echo.c && ./c_epoll_echo 8001
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, MAX_EVENTS = 1024, MAX_FDS = 65536 };

/* What a connection still owes its peer. */
struct rest {
  char *bytes;
  size_t start, end;
};

static struct rest rests[MAX_FDS];
static char buffer[BUFFER_BYTES];
static int epoll;

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static void watch(int operation, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, operation, fd, &event) == -1) fail("epoll_ctl");
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

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= MAX_FDS) close(fd);
    else watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

static void hang_up(int fd) {
  free(rests[fd].bytes);
  rests[fd] = (struct rest){0};
  close(fd);
}

static void keep(int fd, const char *bytes, size_t length) {
  rests[fd] = (struct rest){.bytes = malloc(length), .end = length};
  memcpy(rests[fd].bytes, bytes, length);
  watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void echo(int fd) {
  ssize_t received = recv(fd, buffer, sizeof buffer, 0);
  if (received <= 0) {
    if (received == 0 || (errno != EAGAIN && errno != EINTR)) hang_up(fd);
    return;
  }
  ssize_t sent = send(fd, buffer, received, MSG_NOSIGNAL);
  if (sent == received) return;
  if (sent == -1 && errno != EAGAIN) hang_up(fd);
  else keep(fd, buffer + (sent > 0 ? sent : 0), received - (sent > 0 ? sent : 0));
}

static void flush(int fd) {
  struct rest *rest = &rests[fd];
  ssize_t sent = send(fd, rest->bytes + rest->start, rest->end - rest->start, MSG_NOSIGNAL);
  if (sent == -1) {
    if (errno != EAGAIN) hang_up(fd);
    return;
  }
  rest->start += sent;
  if (rest->start < rest->end) return;
  free(rest->bytes);
  *rest = (struct rest){0};
  watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

int main(int argc, char **argv) {
  static struct epoll_event events[MAX_EVENTS];
  int listener = listen_on(argc > 1 ? atoi(argv[1]) : 8001);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
  for (;;) {
    int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (rests[fd].bytes != NULL) flush(fd);
      else echo(fd);
    }
  }
}
