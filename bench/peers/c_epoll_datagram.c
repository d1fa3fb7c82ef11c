/*
 * The yardstick for UDP: datagrams go back to where they came from, all that
 * are there for one wait.
 *
 *     cc -O2 -o c_epoll_datagram c_epoll_datagram.c && ./c_epoll_datagram 8001
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static char buffer[64 * 1024];

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static int bind_to(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1) fail("bind");
  return fd;
}

static void echo_all(int fd) {
  struct sockaddr_storage sender;
  for (;;) {
    socklen_t length = sizeof sender;
    ssize_t received = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&sender, &length);
    if (received < 0) return;
    sendto(fd, buffer, received, 0, (struct sockaddr *)&sender, length);
  }
}

int main(int argc, char **argv) {
  int fd = bind_to(argc > 1 ? atoi(argv[1]) : 8001);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) fail("epoll_ctl");
  for (;;) {
    if (epoll_wait(epoll, &event, 1, -1) == 1) echo_all(fd);
  }
}
