/*
 * UDP with segmentation in the kernel: packets of one sender arrive together
 * (UDP_GRO), and are sent back together (UDP_SEGMENT). See udp(7).
 *
 *     cc -O2 -o udp_offload udp_offload.c && ./udp_offload 8001
 */

#define _GNU_SOURCE
#include "server.h"
#include <netinet/udp.h>
#include <string.h>

enum { BUFFER_BYTES = 64 * 1024 };

static char *buffer;

/* The bytes of a segment; 0 if the message is a single packet. */
static uint16_t segment_of(struct msghdr *message) {
  int size;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
    memcpy(&size, CMSG_DATA(c), sizeof size);
    return size;
  }
  return 0;
}

/* Puts the size of segments into the control messages; 0 for none. */
static void set_segment(struct msghdr *message, uint16_t size) {
  message->msg_controllen = size == 0 ? 0 : CMSG_SPACE(sizeof size);
  if (size == 0) return;
  struct cmsghdr *control = CMSG_FIRSTHDR(message);
  control->cmsg_level = SOL_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(control), &size, sizeof size);
}

static void echo_all(int fd) {
  struct sockaddr_storage sender;
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  for (;;) {
    struct iovec piece = {.iov_base = buffer, .iov_len = BUFFER_BYTES};
    struct msghdr message = {
      .msg_name = &sender, .msg_namelen = sizeof sender,
      .msg_iov = &piece, .msg_iovlen = 1,
      .msg_control = &control, .msg_controllen = sizeof control,
    };
    ssize_t received = recvmsg(fd, &message, 0);
    if (received < 0) return;
    set_segment(&message, segment_of(&message));
    piece.iov_len = received;
    sendmsg(fd, &message, 0);
  }
}

int main(int argc, char **argv) {
  int one = 1;
  int fd = bind_to(address_of(argc, argv));
  if (setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof one) == -1) fail("UDP_GRO");
  buffer = new_buffer(BUFFER_BYTES);
  when_readable(fd, echo_all);
}
