/**
 * The `fd_*` calls. Those on files and directories are in `files.ts`; those on
 * sockets and standard streams, which are streams here, are in `streams.ts`.
 *
 * @module
 */

import { ESUCCESS } from "../../backends/wasi/errno.ts";
import { FILE_CALLS, type FileCall } from "./files.ts";
import type { Guest, GuestCall, GuestCalls } from "./guest.ts";
import type { GuestDescriptor } from "./guest_file.ts";
import { STREAM_CALLS, type StreamCall } from "./streams.ts";

/** The calls of a guest on its descriptors, of whatever kind. */
export const DESCRIPTOR_CALLS: GuestCalls = {
  fd_close: close,
  fd_renumber: renumber,
  ...Object.fromEntries(
    Object.entries(FILE_CALLS).map(([name, onFile]) => [
      name,
      byKind(onFile, STREAM_CALLS[name]!),
    ]),
  ),
};

function byKind(onFile: FileCall, onStream: StreamCall): GuestCall {
  return (guest, fd: number, ...args) => {
    const entry = guest.table.require(fd);
    return entry.kind === "stream"
      ? onStream(guest, entry, ...args)
      : onFile(guest, entry, ...args);
  };
}

function close(guest: Guest, fd: number): number {
  const entry = guest.table.require(fd);
  guest.table.delete(fd);
  release(guest, entry);
  return ESUCCESS;
}

function renumber(guest: Guest, from: number, to: number): number {
  const replaced = guest.table.renumber(from, to);
  if (replaced !== undefined) release(guest, replaced);
  return ESUCCESS;
}

function release({ readiness }: Guest, entry: GuestDescriptor): void {
  if (entry.kind === "stream") readiness.forget(entry.fileobj);
  entry.close();
}
