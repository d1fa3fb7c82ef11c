/**
 * The addresses of peers that send, or are sent to, again and again. Each is decoded and
 * encoded once.
 *
 * Between a `struct sockaddr` and an object lie texts and allocations, which cost more
 * than the rest of a receive. So the struct is compared with those of known peers, word
 * by word. An object that was made for one leads back to its struct.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { addressBytes, addressWords } from "./received_address.ts";
import {
  decodeAddress,
  domainNumber,
  domainOfFamily,
  encodeFor,
  readFamily,
  type SocketAddress,
  type SocketDomain,
} from "./socket_address.ts";

/** Peers with the same hash that are known at a time; a power of two. */
const WAYS = 4;

/** All peers that are known at a time: a thread keeps about 300 KiB for them. */
const MOST_PEERS = 1024;

/** Hostnames whose encoding is known at a time; then all are dropped. */
const MOST_HOSTNAMES = 1024;

/** A peer without an address: an unbound Unix socket. */
const UNNAMED: SocketAddress = Object.freeze({ path: "" });

/** An address as the kernel has it, and as a program has it. */
class Peer {
  /** The `socklen_t`. */
  readonly length: number;
  /** The words of the struct: an array, because a typed array costs ten times as much. */
  readonly words: readonly number[];
  readonly domain: SocketDomain;
  /** Frozen, because many messages share it. */
  readonly address: SocketAddress;

  constructor(words: Int32Array<ArrayBuffer>, start: number, length: number) {
    const bytes = new Uint8Array(
      words.buffer,
      words.byteOffset + 4 * start,
      length,
    );
    this.length = length;
    this.words = Array.from(
      { length: (length + 3) >> 2 },
      (_, index) => wordAt(words, start, length, index),
    );
    this.domain = domainOfFamily(readFamily(bytes, system()), system());
    this.address = decodeAddress(bytes, length, system()) as SocketAddress;
    new Encoding(this.address, this);
    Object.freeze(this.address);
  }

  /** Whether it is the peer of a struct. */
  is(words: Int32Array<ArrayBuffer>, start: number, length: number): boolean {
    if (length !== this.length) return false;
    for (let index = 0; index < this.words.length; index++) {
      if (this.words[index] !== wordAt(words, start, length, index)) {
        return false;
      }
    }
    return true;
  }
}

/** A word of a struct; bytes beyond its length are 0, whatever the memory holds. */
function wordAt(
  words: Int32Array<ArrayBuffer>,
  start: number,
  length: number,
  index: number,
): number {
  const word = words[start + index]!;
  const bytes = length - 4 * index;
  return bytes >= 4 ? word : word & (1 << 8 * bytes) - 1;
}

/** A base class whose constructor returns its argument, so that it gets private fields. */
const Given = function (object: object): object {
  return object;
} as unknown as new (object: object) => object;

/**
 * Adds a private field to the object of an address: its peer. Nothing else sees it, and
 * it takes a tenth of the time of a `WeakMap`.
 */
class Encoding extends Given {
  readonly #peer: Peer;

  constructor(address: SocketAddress, peer: Peer) {
    super(address);
    this.#peer = peer;
  }

  static peerOf(address: object): Peer | null {
    return #peer in address ? address.#peer : null;
  }
}

const peers: (Peer | null)[] = new Array(MOST_PEERS).fill(null);
let replaced = 0;

/**
 * The object of an address that the kernel wrote. It is the same object while the peer
 * is known, and frozen.
 *
 * @param words The memory with the struct
 * @param start The index of its first word
 * @param length The `socklen_t`
 */
export function addressAt(
  words: Int32Array<ArrayBuffer>,
  start: number,
  length: number,
): SocketAddress {
  if (length <= 2) return UNNAMED;
  let hash = length;
  for (let index = 0; 4 * index < length; index++) {
    hash = Math.imul(hash ^ wordAt(words, start, length, index), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  const first = (hash & MOST_PEERS - 1) & ~(WAYS - 1);
  for (let place = first; place < first + WAYS; place++) {
    const peer = peers[place]!;
    if (peer === null) break;
    if (peer.is(words, start, length)) return peer.address;
  }
  return added(new Peer(words, start, length), first).address;
}

/** Puts a peer into a free place with its hash, or into that of another. */
function added(peer: Peer, first: number): Peer {
  let place = first;
  while (place < first + WAYS && peers[place] !== null) place++;
  if (place === first + WAYS) place = first + (replaced++ & WAYS - 1);
  return peers[place] = peer;
}

/** Encoded addresses by their hostname; the port is that of the last use. */
interface EncodedHostname {
  readonly domain: SocketDomain;
  readonly length: number;
  readonly words: readonly number[];
}

const hostnames = new Map<string, EncodedHostname>();

/**
 * Writes the destination of a message into `addressBytes`.
 *
 * @param address An address, perhaps the source of a message
 * @param domain The domain of the socket that sends it
 * @returns the length of the struct
 * @throws {TypeError} if the address is of another domain or malformed
 * @throws {RangeError} if the port or the length of the path is out of range
 */
export function encodeDestination(
  address: SocketAddress,
  domain: SocketDomain,
): number {
  const peer = typeof address === "object" && address !== null
    ? Encoding.peerOf(address)
    : null;
  if (peer !== null && peer.domain === domain) {
    copyWords(peer.words);
    return peer.length;
  }
  const { hostname, port } = address as { hostname?: string; port?: number };
  const known = hostnames.get(hostname as string);
  if (
    known !== undefined && known.domain === domain &&
    port === (port! & 0xffff) && !("path" in address)
  ) {
    copyWords(known.words);
    addressBytes[2] = port >> 8;
    addressBytes[3] = port & 0xff;
    return known.length;
  }
  const family = domainNumber(domain, system());
  const length = encodeFor(family, addressBytes, address, system());
  if (!("path" in address) && hostname !== undefined) {
    keepHostname(hostname, domain, length);
  }
  return length;
}

/** Keeps an encoding, except one with a zone: its name may mean another interface later. */
function keepHostname(
  hostname: string,
  domain: SocketDomain,
  length: number,
): void {
  if (hostname.includes("%")) return;
  if (hostnames.size >= MOST_HOSTNAMES) hostnames.clear();
  const words = Array.from(addressWords.subarray(0, (length + 3) >> 2));
  hostnames.set(hostname, { domain, length, words });
}

function copyWords(words: readonly number[]): void {
  for (let index = 0; index < words.length; index++) {
    addressWords[index] = words[index]!;
  }
}
