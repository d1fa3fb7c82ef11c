/**
 * Counts the bytes that pass through each descriptor, once that was asked for.
 *
 * Each function that moves data has its descriptor as the first parameter. A wrapper of
 * the function counts its result, and is not there before. Calls of other libraries go
 * unnoticed.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { withParameters } from "./errno.ts";
import { type AnyCall, type Libc, libc, wrapFunction } from "./libc.ts";
import { noteMessages } from "./windows_message.ts";
import { winsock } from "./winsock.ts";

/** The counts of all descriptors, by their numbers. They begin anew at a close. */
interface Columns {
  /** Calls that moved data, or accepted a connection. */
  moves: Uint32Array;
  read: Float64Array;
  written: Float64Array;
  /** How often the descriptor was closed. */
  closes: Uint32Array;
}

const columns: Columns = {
  moves: new Uint32Array(64),
  read: new Float64Array(64),
  written: new Float64Array(64),
  closes: new Uint32Array(64),
};

/** Counts one call by its result and its first two parameters. */
type Count = (result: number, fd: number, memory: unknown) => void;

/** The functions that move data, and the count of each. */
const COUNTS: Readonly<Partial<Record<keyof Libc, Count>>> = {
  read: countRead,
  recv: countRead,
  recvmsg: countRead,
  // A datagram may be empty.
  recvfrom: (result, fd) => result < 0 ? undefined : addRead(fd, result),
  recvmmsg: (result, fd, headers) =>
    result <= 0 ? undefined : addRead(fd, sumOf(headers, result)),
  write: countWritten,
  send: countWritten,
  sendmsg: countWritten,
  sendto: (result, fd) => result < 0 ? undefined : addWritten(fd, result),
  sendmmsg: (result, fd, headers) =>
    result <= 0 ? undefined : addWritten(fd, sumOf(headers, result)),
  accept: countAccepted,
  accept4: countAccepted,
};

let counts = false;

/** Begins to count. A second call does nothing. */
export function countTransfers(): void {
  if (counts) return;
  counts = true;
  const entries = Object.entries(COUNTS) as [keyof Libc, Count][];
  for (const [key, count] of entries) {
    wrapFunction(libc(), key, (call) => counting(call, count, key));
  }
  wrapFunction(libc(), "close", forgetting);
  if (winsock === null) return;
  wrapFunction(winsock, "closesocket", forgetting);
  noteMessages({ sent: addWritten, received: addRead });
}

/** Calls so far that moved data through a descriptor, or accepted a connection. */
export function movesOf(fd: number): number {
  return columns.moves[fd] ?? 0;
}

/** Bytes that were read from a descriptor. */
export function bytesReadOf(fd: number): number {
  return columns.read[fd] ?? 0;
}

/** Bytes that were written to a descriptor. */
export function bytesWrittenOf(fd: number): number {
  return columns.written[fd] ?? 0;
}

/** How often a descriptor was closed: another value means another file. */
export function closesOf(fd: number): number {
  return columns.closes[fd] ?? 0;
}

/** Makes room for a descriptor in every column. */
function makeRoom(fd: number): void {
  const { moves, read, written, closes } = columns;
  if (fd < moves.length) return;
  const length = Math.max(fd + 1, moves.length * 2);
  const grown = <C extends Uint32Array | Float64Array>(column: C, to: C): C => {
    to.set(column);
    return to;
  };
  columns.moves = grown(moves, new Uint32Array(length));
  columns.read = grown(read, new Float64Array(length));
  columns.written = grown(written, new Float64Array(length));
  columns.closes = grown(closes, new Uint32Array(length));
}

/** An end of file (0) and an error are no progress. */
function countRead(result: number, fd: number): void {
  if (result > 0) addRead(fd, result);
}

function countWritten(result: number, fd: number): void {
  if (result > 0) addWritten(fd, result);
}

function addRead(fd: number, bytes: number): void {
  makeRoom(fd);
  columns.moves[fd]!++;
  columns.read[fd]! += bytes;
}

function addWritten(fd: number, bytes: number): void {
  makeRoom(fd);
  columns.moves[fd]!++;
  columns.written[fd]! += bytes;
}

function countAccepted(fd: number, listener: number): void {
  if (fd < 0) return;
  makeRoom(listener);
  columns.moves[listener]!++;
  // The number may have been closed by another library.
  begin(fd);
}

/** Begins the counts of a descriptor anew. */
function begin(fd: number): void {
  makeRoom(fd);
  columns.closes[fd]!++;
  columns.moves[fd] = columns.read[fd] = columns.written[fd] = 0;
}

/** Adds up the lengths in an array of `struct mmsghdr`. */
function sumOf(headers: unknown, count: number): number {
  const { size } = system().msghdr;
  const { buffer, byteOffset } = headers as Int32Array<ArrayBuffer>;
  const view = new DataView(buffer, byteOffset);
  let sum = 0;
  for (let index = 0; index < count; index++) {
    // struct mmsghdr { struct msghdr; unsigned int msg_len; }, aligned to 8 bytes
    sum += view.getUint32(index * (size + 8) + size, true);
  }
  return sum;
}

/** A counted call; `withParameters()` gives it the parameters of the function. */
function counted(
  call: (...parameters: never[]) => number,
  count: (result: number, ...parameters: never[]) => void,
): AnyCall {
  return (...parameters) => {
    const result = call(...parameters);
    count(result, ...parameters);
    return result;
  };
}

/** Makes a wrapper with a text of its own: in a shared one, a call takes 130 ns more. */
function counting(call: AnyCall, count: Count, name: string): AnyCall {
  const template = withParameters(counted as AnyCall, call.length, name);
  return (template as typeof counted)(call as never, count as never);
}

function forgetting(call: AnyCall): AnyCall {
  return ((fd: number) => {
    if (fd >= 0) begin(fd);
    return (call as (fd: number) => number)(fd);
  }) as AnyCall;
}
