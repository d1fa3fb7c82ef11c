/*
 * A function with the parameters of recv(2) that does nothing, so that the cost of a
 * call is the cost of crossing the boundary.
 *
 *     cc -O2 -shared -fPIC -o empty_function.so empty_function.c
 */

#include <stddef.h>
#include <sys/types.h>

ssize_t empty(int fd, void *buffer, size_t length, int flags) {
  (void)fd, (void)buffer, (void)flags;
  return length;
}
