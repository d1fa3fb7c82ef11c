/**
 * Notices that this program closes a descriptor. epoll and kqueue forget it without a
 * report, and a promise that waits for it would never settle.
 *
 * A close by other code, as by another library, goes unnoticed.
 *
 * @module
 */

/** The callbacks of each watched descriptor. */
const watches = new Map<number, Set<() => void>>();

/** Calls back, once, just before `close()` or `Socket.close()` closes a descriptor. */
export function watchClose(fd: number, callback: () => void): void {
  const callbacks = watches.get(fd);
  if (callbacks === undefined) watches.set(fd, new Set([callback]));
  else callbacks.add(callback);
}

/** Ends a watch; one that has ended already is no error. */
export function unwatchClose(fd: number, callback: () => void): void {
  const callbacks = watches.get(fd);
  if (callbacks === undefined) return;
  callbacks.delete(callback);
  if (callbacks.size === 0) watches.delete(fd);
}

/** Calls the callbacks of a descriptor that is closed next. */
export function notifyClose(fd: number): void {
  if (watches.size === 0) return;
  const callbacks = watches.get(fd);
  if (callbacks === undefined) return;
  watches.delete(fd);
  for (const callback of callbacks) callback();
}
