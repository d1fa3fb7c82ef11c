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
  IPV4_BYTES,
  readFamily,
  type SocketAddress,
  type SocketDomain,
} from "./socket_address.ts";

/** Peers with the same hash that are known at a time; a power of two. */
const WAYS = 4;

/** All peers that are known at a time: a thread keeps about 300 KiB for them. */
const MOST_PEERS = 1024;

/** Leaves so many bits of a word as an index of a peer has. */
const SHIFT = 32 - Math.log2(MOST_PEERS);

/** Hostnames whose encoding is known at a time; then all are dropped. */
const MOST_HOSTNAMES = 1024;

/** A peer without an address: an unbound Unix socket. */
const UNNAMED: SocketAddress = Object.freeze({ path: "" });

/**
 * The words of a `struct sockaddr`. They lie in fields: an array would be one more place
 * in memory for each message to look at.
 */
class EncodedAddress {
  readonly domain: SocketDomain;
  /** The `socklen_t`. */
  readonly length: number;
  /** All that IPv4 has. */
  readonly first: number;
  readonly second: number;
  /** The rest of a longer struct. */
  readonly others: readonly number[] | null;

  constructor(words: Int32Array<ArrayBuffer>, start: number, length: number) {
    const family = readFamily(bytesAt(words, start, length), system());
    this.domain = domainOfFamily(family, system());
    this.length = length;
    this.first = words[start]!;
    this.second = wordAt(words, start, length, 1);
    this.others = this.domain === "IPv4" ? null : Array.from(
      { length: Math.max((length + 3 >> 2) - 2, 0) },
      (_, index) => wordAt(words, start, length, index + 2),
    );
  }

  /** Whether it is the struct at a place. */
  is(words: Int32Array<ArrayBuffer>, start: number, length: number): boolean {
    if (words[start] !== this.first || length !== this.length) return false;
    if (wordAt(words, start, length, 1) !== this.second) return false;
    const { others } = this;
    if (others === null) return true;
    for (let index = 0; index < others.length; index++) {
      const word = wordAt(words, start, length, index + 2);
      if (others[index] !== word) return false;
    }
    return true;
  }

  /** Writes it into `addressBytes`. */
  write(): void {
    addressWords[0] = this.first;
    addressWords[1] = this.second;
    const { others } = this;
    if (others === null) {
      addressWords[2] = addressWords[3] = 0;
      return;
    }
    for (let index = 0; index < others.length; index++) {
      addressWords[index + 2] = others[index]!;
    }
  }
}

/** A word of a struct; bytes beyond its length are 0, whatever the memory holds. */
function wordAt(
  words: Int32Array<ArrayBuffer>,
  start: number,
  length: number,
  index: number,
): number {
  const bytes = length - 4 * index;
  if (bytes >= 4) return words[start + index]!;
  return bytes <= 0 ? 0 : words[start + index]! & (1 << 8 * bytes) - 1;
}

function bytesAt(
  words: Int32Array<ArrayBuffer>,
  start: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer, words.byteOffset + 4 * start, length);
}

/** A peer that a message came from. */
class Peer extends EncodedAddress {
  /** Frozen, because many messages share it. */
  readonly address: SocketAddress;

  constructor(words: Int32Array<ArrayBuffer>, start: number, length: number) {
    super(words, start, length);
    const bytes = bytesAt(words, start, length);
    const address = decodeAddress(bytes, length, system()) as SocketAddress;
    new Encoding(address, this);
    this.address = Object.freeze(address);
  }
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
  const first = firstPlace(words, start, length);
  for (let place = first; place < first + WAYS; place++) {
    const peer = peers[place]!;
    if (peer === null) break;
    if (peer.is(words, start, length)) return peer.address;
  }
  return added(new Peer(words, start, length), first).address;
}

/**
 * The first of the places for a struct, by a hash of its words.
 *
 * A product carries a difference only upwards, and peers of a network differ in the
 * uppermost byte of a word. So the place is the uppermost bits, which depend on all.
 */
function firstPlace(
  words: Int32Array<ArrayBuffer>,
  start: number,
  length: number,
): number {
  const count = length === IPV4_BYTES ? 2 : length + 3 >> 2;
  let hash = length;
  for (let index = 0; index < count; index++) {
    hash = Math.imul(hash ^ wordAt(words, start, length, index), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return Math.imul(hash, 0x9e3779b1) >>> SHIFT & -WAYS;
}

/** Puts a peer into a free place with its hash, or into that of another. */
function added(peer: Peer, first: number): Peer {
  let place = first;
  while (place < first + WAYS && peers[place] !== null) place++;
  if (place === first + WAYS) place = first + (replaced++ & WAYS - 1);
  return peers[place] = peer;
}

/** Encoded addresses by their hostname, with the port of the first use. */
const hostnames = new Map<string, EncodedAddress>();

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
  if (peer === null || peer.domain !== domain) return encode(address, domain);
  peer.write();
  return peer.length;
}

/** The same for the object of a program, which may change it. */
function encode(address: SocketAddress, domain: SocketDomain): number {
  if (domain === "unix" || !("hostname" in address) || "path" in address) {
    const family = domainNumber(domain, system());
    return encodeFor(family, addressBytes, address, system());
  }
  const { hostname, port } = address;
  const known = hostnames.get(hostname);
  if (known?.domain !== domain || port !== (port & 0xffff)) {
    return encodeHostname(address, hostname, domain);
  }
  known.write();
  addressBytes[2] = port >> 8;
  addressBytes[3] = port & 0xff;
  return known.length;
}

/** Encodes an address, and keeps it. A zone may later be the name of another interface. */
function encodeHostname(
  address: SocketAddress,
  hostname: string,
  domain: SocketDomain,
): number {
  const family = domainNumber(domain, system());
  const length = encodeFor(family, addressBytes, address, system());
  if (!hostname.includes("%")) {
    if (hostnames.size >= MOST_HOSTNAMES) hostnames.clear();
    hostnames.set(hostname, new EncodedAddress(addressWords, 0, length));
  }
  return length;
}
