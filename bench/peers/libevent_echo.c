/*
 * An echo server on libevent's bufferevents, as its book writes it: what comes
 * in is moved to what goes out, without a copy. It stops reading while a lot is
 * still to go. Libevent 2.1 reads at most 4,096 bytes at once (EVBUFFER_MAX_READ),
 * whatever bufferevent_set_max_single_read() says, which decides how it does with
 * large messages.
 *
 *     cc -O2 -o libevent_echo libevent_echo.c -levent && ./libevent_echo 8001
 */

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdlib.h>

enum { HIGH_WATER_BYTES = 1024 * 1024 };

static void on_read(struct bufferevent *connection, void *context) {
  (void)context;
  struct evbuffer *output = bufferevent_get_output(connection);
  evbuffer_add_buffer(output, bufferevent_get_input(connection));
  if (evbuffer_get_length(output) > HIGH_WATER_BYTES) bufferevent_disable(connection, EV_READ);
}

static void on_drained(struct bufferevent *connection, void *context) {
  (void)context;
  if (!(bufferevent_get_enabled(connection) & EV_READ)) bufferevent_enable(connection, EV_READ);
}

static void on_event(struct bufferevent *connection, short what, void *context) {
  (void)context;
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(connection);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *address, int length, void *context) {
  (void)listener, (void)address, (void)length;
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct bufferevent *connection =
      bufferevent_socket_new(context, fd, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(connection, on_read, on_drained, on_event, NULL);
  bufferevent_enable(connection, EV_READ | EV_WRITE);
}

int main(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons(argc > 1 ? atoi(argv[1]) : 8001);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct event_base *base = event_base_new();
  if (!evconnlistener_new_bind(base, on_connection, base,
                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, SOMAXCONN,
                               (struct sockaddr *)&address, sizeof address)) {
    return 1;
  }
  return event_base_dispatch(base);
}
