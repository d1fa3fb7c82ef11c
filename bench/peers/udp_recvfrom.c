/*
 * The yardstick for UDP: each wait is followed by all waiting datagrams, each of
 * which is received by one call and sent back by another.
 *
 *     cc -O2 -o udp_recvfrom udp_recvfrom.c && ./udp_recvfrom 8001
 */

#define _GNU_SOURCE
#include "server.h"

enum { BUFFER_BYTES = 64 * 1024 };

static char *buffer;

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
  buffer = new_buffer(BUFFER_BYTES);
  when_readable(bind_to(address_of(argc, argv)), echo_all);
}
