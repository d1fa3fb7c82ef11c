/**
 * `struct inotify_event`, and the events of a watched tree.
 *
 * Source of the numbers: `<sys/inotify.h>`; they are the same on every processor.
 *
 * @module
 */

export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_CLOSE_WRITE = 0x8;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
export const IN_UNMOUNT = 0x2000;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_IGNORED = 0x8000;
export const IN_ONLYDIR = 0x100_0000;
export const IN_DONT_FOLLOW = 0x200_0000;
export const IN_ISDIR = 0x4000_0000;

/** IN_CLOEXEC and IN_NONBLOCK, which are O_CLOEXEC and O_NONBLOCK. */
export const IN_CLOEXEC_NONBLOCK = 0x8_0800;

/** The change of one file or directory. */
export interface FileEvent {
  /**
   * - `create`: it was created in the tree, or moved into it, where it may replace a
   *   file of the same path.
   * - `modify`: bytes were written, or it was truncated.
   * - `close`: a descriptor that could write was closed, so the content is complete.
   * - `attributes`: its mode, owner, times or links have changed.
   * - `delete`: it was deleted, or moved out of the tree.
   */
  readonly type: "create" | "modify" | "close" | "attributes" | "delete";
  /** The path, which begins with the watched path. */
  readonly path: string;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
}

/** A move within the watched paths, which may replace a file or an empty directory. */
export interface MoveEvent {
  /** A move. */
  readonly type: "move";
  /** The former path. */
  readonly from: string;
  /** The new path. */
  readonly path: string;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
}

/** The kernel has discarded events: read the watched paths again. */
export interface OverflowEvent {
  /** Lost events. */
  readonly type: "overflow";
}

/** An event of `Inotify`. */
export type InotifyEvent = FileEvent | MoveEvent | OverflowEvent;

/** A `struct inotify_event`. */
export interface RawEvent {
  /** The watch descriptor; -1 for an overflow. */
  readonly wd: number;
  /** IN_* bits. */
  readonly mask: number;
  /** Connects the two events of a move. */
  readonly cookie: number;
  /** The name of the entry; "" for the watched path itself. */
  readonly name: string;
}

const HEADER_BYTES = 16;
const decoder = new TextDecoder();

/** The structs that one read(2) has returned. */
export function parseEvents(bytes: Uint8Array<ArrayBuffer>): RawEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: RawEvent[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at + 12, true);
    const start = at + HEADER_BYTES;
    const padded = bytes.subarray(start, start + length);
    const end = padded.indexOf(0);
    events.push({
      wd: view.getInt32(at, true),
      mask: view.getUint32(at + 4, true),
      cookie: view.getUint32(at + 8, true),
      name: decoder.decode(end < 0 ? padded : padded.subarray(0, end)),
    });
    at = start + length;
  }
  return events;
}

/** The file is not at its path any more. */
const GONE = IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;

/** The type of an event that is neither a move nor an overflow; null for any other. */
export function typeOf(mask: number): FileEvent["type"] | null {
  if ((mask & IN_CREATE) !== 0) return "create";
  if ((mask & IN_MODIFY) !== 0) return "modify";
  if ((mask & IN_CLOSE_WRITE) !== 0) return "close";
  if ((mask & IN_ATTRIB) !== 0) return "attributes";
  return (mask & GONE) !== 0 ? "delete" : null;
}
