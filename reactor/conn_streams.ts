/**
 * The two Web Streams of a connection.
 *
 * @module
 */

import type { Conn, NetAddr, UnixAddr } from "./conn.ts";

type AnyConn = Conn<NetAddr | UnixAddr>;

/** How much is read at once for who brings no memory of his own. */
const CHUNK_BYTES = 64 * 1024;

/** A byte stream, which reads only when somebody wants something. */
export function readableOf(
  conn: AnyConn,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    async pull(controller): Promise<void> {
      const request = controller.byobRequest!;
      const count = await readInto(conn, request.view!);
      if (count !== null) return request.respond(count);
      conn.closeOnce();
      controller.close();
      request.respond(0);
    },
    cancel(): void {
      conn.closeOnce();
    },
  });
}

/** Whoever cannot read can do nothing else with the connection either. */
async function readInto(
  conn: AnyConn,
  view: ArrayBufferView,
): Promise<number | null> {
  try {
    return await conn.read(
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
    );
  } catch (error) {
    conn.closeOnce();
    throw error;
  }
}

/** A stream whose writes resolve when the system has taken the bytes. */
export function writableOf(
  conn: AnyConn,
): WritableStream<Uint8Array<ArrayBufferLike>> {
  return new WritableStream({
    async write(chunk, controller): Promise<void> {
      try {
        for (let sent = 0; sent < chunk.length;) {
          sent += await conn.write(chunk.subarray(sent));
        }
      } catch (error) {
        controller.error(error);
        conn.closeOnce();
        throw error;
      }
    },
    close(): void {
      conn.closeOnce();
    },
    abort(): void {
      conn.closeOnce();
    },
  });
}
