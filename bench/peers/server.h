/*
 * The part that the servers in C share: a listening socket or one for datagrams, and
 * a receive buffer that begins a page.
 *
 * malloc() of a large buffer returns an address 16 bytes into a page. On some
 * processors the kernel copies to that offset at two thirds of the speed.
 */

#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { PAGE_BYTES = 4096, DEFAULT_PORT = 8001, QUEUE_BYTES = 4 * 1024 * 1024 };

static inline void fail(const char *call) {
  perror(call);
  exit(1);
}

static inline char *new_buffer(size_t length) {
  void *buffer;
  if (posix_memalign(&buffer, PAGE_BYTES, length) != 0) fail("posix_memalign");
  return buffer;
}

static inline struct sockaddr_in address_of(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons(argc > 1 ? atoi(argv[1]) : DEFAULT_PORT);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* Connections inherit TCP_NODELAY from the listening socket. */
static inline int listen_on(struct sockaddr_in address) {
  int one = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1) fail("bind");
  if (listen(fd, SOMAXCONN) == -1) fail("listen");
  return fd;
}

/* A socket for datagrams that queues four bursts of 64 packets. */
static inline int bind_to(struct sockaddr_in address) {
  int bytes = QUEUE_BYTES;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1) fail("bind");
  return fd;
}

/* Calls a function each time a socket is readable. */
static inline void when_readable(int fd, void (*receive)(int fd)) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) fail("epoll_ctl");
  for (;;) {
    if (epoll_wait(epoll, &event, 1, -1) == 1) receive(fd);
  }
}
