/*
 * UDP with one call for many datagrams: recvmmsg(2) and sendmmsg(2).
 *
 *     cc -O2 -o udp_recvmmsg udp_recvmmsg.c && ./udp_recvmmsg 8001
 */

#define _GNU_SOURCE
#include "server.h"

enum { MESSAGE_BYTES = 64 * 1024, MESSAGES = 64 };

static struct mmsghdr messages[MESSAGES];
static struct iovec pieces[MESSAGES];
static struct sockaddr_storage senders[MESSAGES];

static void prepare(int index) {
  pieces[index].iov_len = MESSAGE_BYTES;
  messages[index].msg_hdr.msg_namelen = sizeof senders[index];
}

static void send_back(int fd, int count) {
  for (int i = 0; i < count; i++) pieces[i].iov_len = messages[i].msg_len;
  for (int sent = 0; sent < count;) {
    int more = sendmmsg(fd, messages + sent, count - sent, 0);
    // A datagram that is refused is lost.
    sent += more > 0 ? more : 1;
  }
}

static void echo_all(int fd) {
  for (;;) {
    int count = recvmmsg(fd, messages, MESSAGES, 0, NULL);
    if (count <= 0) return;
    send_back(fd, count);
    for (int i = 0; i < count; i++) prepare(i);
    if (count < MESSAGES) return;
  }
}

int main(int argc, char **argv) {
  char *memory = new_buffer(MESSAGES * MESSAGE_BYTES);
  for (int i = 0; i < MESSAGES; i++) {
    pieces[i].iov_base = memory + i * MESSAGE_BYTES;
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &senders[i];
    prepare(i);
  }
  when_readable(bind_to(address_of(argc, argv)), echo_all);
}
