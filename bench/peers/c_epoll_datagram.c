/*
 * The yardstick for UDP: each wait is followed by all waiting datagrams, which are
 * sent back to their senders.
 *
 *     cc -O2 -o c_epoll_datagram c_epoll_datagram.c && ./c_epoll_datagram 8001
 */

#define _GNU_SOURCE
#include "server.h"
#include <sys/epoll.h>

enum { BUFFER_BYTES = 64 * 1024 };

static char *buffer;

static int bind_to(struct sockaddr_in address) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1) fail("bind");
  return fd;
}

static void echo_all(int fd) {
  struct sockaddr_storage sender;
  for (;;) {
    socklen_t length = sizeof sender;
    ssize_t received = recvfrom(fd, buffer, BUFFER_BYTES, 0, (struct sockaddr *)&sender, &length);
    if (received < 0) return;
    sendto(fd, buffer, received, 0, (struct sockaddr *)&sender, length);
  }
}

int main(int argc, char **argv) {
  int fd = bind_to(address_of(argc, argv));
  buffer = new_buffer(BUFFER_BYTES);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) fail("epoll_ctl");
  for (;;) {
    if (epoll_wait(epoll, &event, 1, -1) == 1) echo_all(fd);
  }
}
