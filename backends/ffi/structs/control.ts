/**
 * `struct cmsghdr`: control messages, which accompany the data of a message.
 *
 * Sources: cmsg(3), `<sys/socket.h>` of each system; for those that are not Linux also
 * the macros of the crate libc, 2eda1e52.
 *
 * @module
 */

import type { Platform } from "../system.ts";

/** `struct cmsghdr`: a length, a level and a type, then the data. */
export interface CmsghdrLayout {
  /** Bytes of `cmsg_len`. */
  readonly lengthBytes: 4 | 8;
  readonly level: number;
  readonly type: number;
  /** The offset of the data: CMSG_LEN(0). */
  readonly data: number;
  /** The next struct starts at a multiple of so many bytes. */
  readonly alignment: 4 | 8;
}

/** The layout of a system. */
export function cmsghdrLayout({ os }: Platform): CmsghdrLayout {
  switch (os) {
    case "linux":
    case "windows": // WSACMSGHDR of <ws2def.h>
      return { lengthBytes: 8, level: 8, type: 12, data: 16, alignment: 8 };
    case "freebsd":
    case "netbsd":
      return { lengthBytes: 4, level: 4, type: 8, data: 16, alignment: 8 };
    default: // macOS, illumos on x86-64
      return { lengthBytes: 4, level: 4, type: 8, data: 12, alignment: 4 };
  }
}

/** A control message by its numbers. */
export interface RawControlMessage {
  /** SOL_* or IPPROTO_*. */
  readonly level: number;
  /** The number of its type at that level. */
  readonly type: number;
  /** Its data. */
  readonly data: Uint8Array<ArrayBuffer>;
}

function aligned(length: number, { alignment }: CmsghdrLayout): number {
  return Math.ceil(length / alignment) * alignment;
}

/** The room that a message with so many bytes of data takes: CMSG_SPACE. */
export function controlSpace(bytes: number, layout: CmsghdrLayout): number {
  return layout.data + aligned(bytes, layout);
}

/** Writes control messages, one after another. */
export function encodeControl(
  messages: readonly RawControlMessage[],
  layout: CmsghdrLayout,
): Uint8Array<ArrayBuffer> {
  const spaces = messages.map(({ data }) => controlSpace(data.length, layout));
  const size = spaces.reduce((sum, space) => sum + space, 0);
  const target = new Uint8Array(new ArrayBuffer(size));
  const view = new DataView(target.buffer);
  let start = 0;
  messages.forEach(({ level, type, data }, index) => {
    view.setUint32(start, layout.data + data.length, true);
    view.setInt32(start + layout.level, level, true);
    view.setInt32(start + layout.type, type, true);
    target.set(data, start + layout.data);
    start += spaces[index]!;
  });
  return target;
}

/** Reads the control messages that the kernel wrote; a message that is cut off ends them. */
export function decodeControl(
  source: Uint8Array<ArrayBuffer>,
  layout: CmsghdrLayout,
): RawControlMessage[] {
  const view = new DataView(source.buffer, source.byteOffset, source.length);
  const messages: RawControlMessage[] = [];
  for (let start = 0; start + layout.data <= source.length;) {
    const length = view.getUint32(start, true);
    if (length < layout.data) break;
    messages.push({
      level: view.getInt32(start + layout.level, true),
      type: view.getInt32(start + layout.type, true),
      data: source.slice(start + layout.data, start + length),
    });
    start += aligned(length, layout);
  }
  return messages;
}
