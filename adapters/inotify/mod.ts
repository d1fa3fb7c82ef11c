/**
 * Watches files and directory trees on Linux, by inotify(7). Unlike `Deno.watchFs`
 * it joins the two halves of a move, reports the end of writing, and reports lost
 * events as `overflow`.
 *
 * @module
 */

export type {
  FileEvent,
  InotifyEvent,
  MoveEvent,
  OverflowEvent,
} from "./events.ts";
export { Inotify, type InotifyWatchOptions } from "./inotify.ts";
