/*
 * An echo server on libuv, with one receive buffer for all connections, since a read
 * is answered before the next begins. Bytes that uv_try_write() does not take are
 * copied, and until they are written the connection is not read.
 *
 *     cc -O2 -o libuv_echo libuv_echo.c -luv && ./libuv_echo 8001
 */

#include "server.h"
#include <string.h>
#include <uv.h>

enum { BUFFER_BYTES = 256 * 1024 };

static char *buffer;

struct rest {
  uv_write_t request;
  char bytes[];
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)handle, (void)suggested;
  *buf = uv_buf_init(buffer, BUFFER_BYTES);
}

static void on_closed(uv_handle_t *handle) { free(handle); }

static void hang_up(uv_stream_t *stream) {
  if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, on_closed);
}

static void on_read(uv_stream_t *stream, ssize_t received, const uv_buf_t *buf);

static void on_written(uv_write_t *request, int status) {
  uv_stream_t *stream = request->handle;
  free(request);
  if (status < 0) hang_up(stream);
  else uv_read_start(stream, on_alloc, on_read);
}

static void keep(uv_stream_t *stream, const char *bytes, size_t length) {
  struct rest *rest = malloc(sizeof *rest + length);
  memcpy(rest->bytes, bytes, length);
  uv_buf_t buf = uv_buf_init(rest->bytes, length);
  uv_read_stop(stream);
  uv_write(&rest->request, stream, &buf, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t received, const uv_buf_t *buf) {
  if (received < 0) return hang_up(stream);
  if (received == 0) return;
  uv_buf_t out = uv_buf_init(buf->base, received);
  int sent = uv_try_write(stream, &out, 1);
  if (sent == received) return;
  if (sent < 0 && sent != UV_EAGAIN) return hang_up(stream);
  if (sent < 0) sent = 0;
  keep(stream, buf->base + sent, received - sent);
}

static void on_connection(uv_stream_t *server, int status) {
  if (status < 0) return;
  uv_tcp_t *client = malloc(sizeof *client);
  uv_tcp_init(server->loop, client);
  if (uv_accept(server, (uv_stream_t *)client) != 0) return hang_up((uv_stream_t *)client);
  uv_tcp_nodelay(client, 1);
  uv_read_start((uv_stream_t *)client, on_alloc, on_read);
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  uv_tcp_t server;
  struct sockaddr_in address = address_of(argc, argv);
  buffer = new_buffer(BUFFER_BYTES);
  uv_tcp_init(loop, &server);
  if (uv_tcp_bind(&server, (struct sockaddr *)&address, 0) != 0) return 1;
  if (uv_listen((uv_stream_t *)&server, SOMAXCONN, on_connection) != 0) return 1;
  return uv_run(loop, UV_RUN_DEFAULT);
}
