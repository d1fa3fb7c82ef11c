/*
 * The yardstick: an echo server on raw epoll, as plain and as fast as possible.
 *
 * It is level-triggered, with one recv() and one send() for an event, and one
 * receive buffer for all connections. Bytes that send() does not take are kept, and
 * until they are sent the connection is not read.
 *
 *     cc -O2 -o c_epoll_echo c_epoll_echo.c && ./c_epoll_echo 8001
 */

#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, MAX_EVENTS = 1024, MAX_FDS = 65536 };

/* The bytes that a connection has not sent yet. */
struct rest {
  char *bytes;
  size_t start, end;
};

static struct rest rests[MAX_FDS];
static char *buffer;
static int epoll;

static void watch(int operation, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, operation, fd, &event) == -1) fail("epoll_ctl");
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
  ssize_t received = recv(fd, buffer, BUFFER_BYTES, 0);
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
  int listener = listen_on(address_of(argc, argv));
  buffer = new_buffer(BUFFER_BYTES);
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
