/**
 * The call of select: BSD's own, or Winsock's.
 *
 * Winsock's takes any number of sockets, and refuses three empty sets. It reports a
 * connect that has failed as an exceptional condition alone. Elsewhere such a socket is
 * writable, so writers without a connection are in both sets, and come back in the one.
 *
 * Source: select(2); "select function" and "SOL_SOCKET socket options" in the Winsock
 * reference.
 *
 * @module
 */

import { isWindows } from "./current_system.ts";
import { libc } from "./libc.ts";
import { holding } from "./parked_call.ts";
import { sleep, sleepParked } from "./sleep.ts";
import { FD_SETSIZE, FdSet } from "./structs/fd_set.ts";
import { SocketArray } from "./structs/socket_array.ts";
import { Timeval } from "./structs/time.ts";

/** `<winsock2.h>` and `<mswsock.h>`: an option of Windows alone. */
const SOL_SOCKET = 0xffff;
const SO_CONNECT_TIME = 0x700c;
/** The time of a socket that has no connection. */
const NOT_CONNECTED = 0xffff_ffff;

/** A set of descriptors, in the form that this system's call takes. */
export interface DescriptorSet {
  /** The set's bytes, for the call that reads and fills them. */
  readonly bytes: ArrayBuffer | Int32Array<ArrayBuffer>;
  /** Adds a descriptor. */
  add(fd: number): void;
  /** Removes a descriptor. */
  delete(fd: number): void;
  /** Whether a descriptor is in the set. */
  has(fd: number): boolean;
  /** Empties the set. */
  clear(): void;
  /** Copies another set. */
  copyFrom(other: DescriptorSet): void;
}

/** The three sets of a call: the interest before, the result after. */
export interface ThreeSets<S extends DescriptorSet = DescriptorSet> {
  readonly readable: S;
  readonly writable: S;
  readonly exceptional: S;
}

/** The first descriptor that no set of this system can hold. */
export const firstTooLarge: number = isWindows ? Infinity : FD_SETSIZE;

/** Creates an empty set. */
export function descriptorSet(): DescriptorSet {
  return isWindows ? new SocketArray() : new FdSet();
}

const timeval = new Timeval(isWindows ? 4 : 8);

function timevalOf(timeout: number): Timeval["bytes"] | null {
  if (timeout === Infinity) return null;
  timeval.set(timeout);
  return timeval.bytes;
}

/**
 * Calls select.
 *
 * @param nfds One more than the largest descriptor in the sets
 * @param sets The interest, which the result overwrites
 * @param timeout Milliseconds; `Infinity` is no timeout
 * @returns how many descriptors the sets have, or -errno
 */
export function callSelect(
  nfds: number,
  sets: ThreeSets,
  timeout: number,
): number {
  if (isWindows) return callWinsock(sets as ThreeSets<SocketArray>, timeout);
  const { readable, writable, exceptional } = sets;
  return libc().select(
    nfds,
    readable.bytes,
    writable.bytes,
    exceptional.bytes,
    timevalOf(timeout),
  );
}

/** As `callSelect`, on another thread; below 0 for every failure, without its number. */
export function callSelectParked(
  nfds: number,
  sets: ThreeSets,
  timeout: number,
  referenced: boolean,
): Promise<number> {
  if (isWindows) {
    const arrays = sets as ThreeSets<SocketArray>;
    return callWinsockParked(arrays, timeout, referenced);
  }
  return park(nfds, sets, timeout, referenced);
}

function park(
  nfds: number,
  { readable, writable, exceptional }: ThreeSets,
  timeout: number,
  referenced: boolean,
): Promise<number> {
  const memory = [
    readable.bytes,
    writable.bytes,
    exceptional.bytes,
    timevalOf(timeout)?.slice() ?? null,
  ] as const;
  const call = libc().selectParked(nfds, ...memory);
  return holding(referenced, call, ...memory);
}

/** Sets of the calls on this thread: a wait allocates nothing. */
const [failing, urgent] = [new SocketArray(), new SocketArray()];

function callWinsock(sets: ThreeSets<SocketArray>, timeout: number): number {
  addWriters(failing, sets);
  const { readable, writable } = sets;
  if (readable.size + writable.size + failing.size === 0) return sleep(timeout);
  const result = libc().select(
    0,
    readable.bytes,
    writable.bytes,
    failing.bytes,
    timevalOf(timeout),
  );
  return result < 0 ? result : take(sets, failing);
}

async function callWinsockParked(
  sets: ThreeSets<SocketArray>,
  timeout: number,
  referenced: boolean,
): Promise<number> {
  const exceptional = new SocketArray();
  addWriters(exceptional, sets);
  const { readable, writable } = sets;
  if (readable.size + writable.size + exceptional.size === 0) {
    return await sleepParked(timeout, referenced);
  }
  const passed = { readable, writable, exceptional };
  const result = await park(0, passed, timeout, referenced);
  return result < 0 ? result : take(sets, exceptional);
}

/** Fills the exceptional set to pass: with the writers whose connect may fail, too. */
function addWriters(
  failing: SocketArray,
  { writable, exceptional }: ThreeSets<SocketArray>,
): void {
  failing.copyFrom(exceptional);
  for (let place = 0; place < writable.size; place++) {
    const fd = writable.at(place);
    if (!isConnected(fd)) failing.add(fd);
  }
}

/** Takes the result of a call, and counts it. */
function take(
  { readable, writable, exceptional }: ThreeSets<SocketArray>,
  failing: SocketArray,
): number {
  readable.find();
  writable.find();
  urgent.clear();
  for (let place = 0; place < failing.size; place++) {
    const fd = failing.at(place);
    if (exceptional.has(fd)) urgent.add(fd);
    if (!isConnected(fd)) writable.add(fd);
  }
  exceptional.copyFrom(urgent);
  return readable.size + writable.size + exceptional.size;
}

const seconds = new Uint32Array(new ArrayBuffer(4));
const length = new Int32Array(new ArrayBuffer(4));

/**
 * Whether a socket has a connection. getpeername cannot say so: during a connect,
 * Winsock may already return the address of the peer.
 */
function isConnected(fd: number): boolean {
  length[0] = seconds.byteLength;
  const result = libc().getsockopt(
    fd,
    SOL_SOCKET,
    SO_CONNECT_TIME,
    seconds,
    length,
  );
  return result >= 0 && seconds[0] !== NOT_CONNECTED;
}
