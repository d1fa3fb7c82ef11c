/*
 * A function with the parameters of recv(2) that does nothing: what a call of
 * it costs is the way there and back.
 *
 *     cc -O2 -shared -fPIC -o empty_function.so empty_function.c
 */

#include <stddef.h>
#include <sys/types.h>

ssize_t empty(int fd, void *buffer, size_t length, int flags) {
  (void)fd, (void)buffer, (void)flags;
  return length;
}
