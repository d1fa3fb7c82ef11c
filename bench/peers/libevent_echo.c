/*
 * An echo server on libevent's bufferevents, as in its book: input is moved to the
 * output without a copy. While much output waits, it does not read.
 *
 * Libevent 2.1 reads at most 4,096 bytes at once (EVBUFFER_MAX_READ), whatever
 * bufferevent_set_max_single_read() says. So it is slow with large messages.
 *
 *     cc -O2 -o libevent_echo libevent_echo.c -levent && ./libevent_echo 8001
 */

#include "server.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

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

static void on_event(struct bufferevent *connection, short events, void *context) {
  (void)context;
  if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(connection);
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
  struct sockaddr_in address = address_of(argc, argv);
  struct event_base *base = event_base_new();
  if (!evconnlistener_new_bind(base, on_connection, base,
                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, SOMAXCONN,
                               (struct sockaddr *)&address, sizeof address)) {
    return 1;
  }
  return event_base_dispatch(base);
}
