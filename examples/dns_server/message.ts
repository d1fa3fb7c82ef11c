/**
 * Messages of DNS: RFC 1035, section 4, with the extensions of RFC 6891 (EDNS).
 *
 * @module
 */

import { parentOf, readName, ROOT } from "./names.ts";
import type { RecordData, ResourceRecord } from "./records.ts";

/** The header: an identifier, flags, and the lengths of four sections. */
export const HEADER_BYTES = 12;

/** Bits of the flags. */
export const Flag = {
  Response: 0x8000,
  Opcode: 0x7800,
  Authoritative: 0x0400,
  Truncated: 0x0200,
  RecursionDesired: 0x0100,
} as const;

const CLASS_IN = 1;

/** The pseudo-record of EDNS, its bytes, and its flag that is copied: RFC 3225. */
const OPT = 41;
export const EXTENSIONS_BYTES = 11;
const DNSSEC_OK = 0x8000;

/** In place of a label: the rest of the name is at this offset. */
const POINTER = 0xc000;

/** The first offset that a pointer cannot reach. */
const UNREACHABLE = 0x4000;

/** The question of a query. */
export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

/** The extensions that a query asks for. */
export interface Extensions {
  /** The bytes of the longest datagram that its sender receives. */
  readonly payload: number;
  readonly version: number;
  readonly flags: number;
}

/** A query. */
export interface Query {
  readonly message: Uint8Array;
  readonly question: Question;
  /** The offset behind the question, which the response repeats in the same case. */
  readonly end: number;
  readonly extensions: Extensions | null;
}

/** Reads a number of 16 bits. A view of each message would cost more than its query. */
export function uint16(message: Uint8Array, at: number): number {
  return (message[at]! << 8) | message[at + 1]!;
}

/** Reads a query after its header. @returns null if it is malformed */
export function readQuery(message: Uint8Array): Query | null {
  const name = readName(message, HEADER_BYTES);
  if (uint16(message, 4) !== 1 || name === null) return null;
  const end = HEADER_BYTES + name.length + 4;
  if (end > message.length) return null;
  const question = {
    name,
    type: uint16(message, end - 4),
    class: uint16(message, end - 2),
  };
  const extensions = readExtensions(message, end);
  return extensions === undefined
    ? null
    : { message, question, end, extensions };
}

/**
 * Reads the OPT record among those that follow the question.
 *
 * @returns null if there is none; undefined if the message is malformed
 */
function readExtensions(
  message: Uint8Array,
  start: number,
): Extensions | null | undefined {
  const records = uint16(message, 6) + uint16(message, 8) +
    uint16(message, 10);
  let extensions: Extensions | null = null;
  let at = start;
  for (let index = 0; index < records; index++) {
    const fields = endOfName(message, at);
    const data = fields + 10;
    if (data > message.length) return undefined;
    if (uint16(message, fields) === OPT) {
      if (extensions !== null || message[at] !== 0) return undefined;
      extensions = {
        payload: uint16(message, fields + 2),
        version: message[fields + 5]!,
        flags: uint16(message, fields + 6),
      };
    }
    at = data + uint16(message, fields + 8);
  }
  return at === message.length ? extensions : undefined;
}

/** The offset behind a name, which may end in a pointer; Infinity if it is malformed. */
function endOfName(message: Uint8Array, start: number): number {
  for (let at = start; at < message.length;) {
    const length = message[at]!;
    if (length === 0) return at + 1;
    if (length >= POINTER >> 8) return at + 2;
    at += 1 + length;
  }
  return Infinity;
}

/** Writes a response into memory that the next response overwrites. */
export class ResponseWriter {
  /** Room for a response of the largest size, and for one record more. */
  readonly #bytes = new Uint8Array(new ArrayBuffer(3 * 64 * 1024));
  /** Kept because a response is often as long as the one before. */
  #view = this.#bytes;
  readonly #offsets = new Map<string, number>();
  /** The name of the question. */
  #asked = ROOT;
  #length = 0;

  /** Begins a response without records. */
  begin(id: number, flags: number, query: Query | null): void {
    this.#bytes.fill(0, 0, HEADER_BYTES);
    this.#setUint16(0, id);
    this.#setUint16(2, flags);
    this.#offsets.clear();
    this.#length = HEADER_BYTES;
    if (query === null) return;
    this.#setUint16(4, 1);
    this.#asked = query.question.name;
    this.#append(query.message, HEADER_BYTES, query.end);
  }

  /**
   * Appends the records of a section.
   *
   * @param count The offset of its number of records in the header
   * @returns false if they exceed the maximum
   */
  section(
    count: 6 | 8,
    records: readonly ResourceRecord[],
    maximum: number,
  ): boolean {
    for (const { owner, type, ttl, data } of records) {
      this.#name(owner);
      this.#record(type, CLASS_IN, ttl, data);
      if (this.#length > maximum) return false;
    }
    this.#setUint16(count, records.length);
    return true;
  }

  /** Appends the OPT record. */
  extend(payload: number, rcode: number, { flags }: Extensions): void {
    const ttl = (rcode >> 4) * 2 ** 24 + (flags & DNSSEC_OK);
    this.#name(ROOT);
    this.#record(OPT, payload, ttl, []);
    this.#setUint16(10, 1);
  }

  /** The response. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#view.length !== this.#length) {
      this.#view = this.#bytes.subarray(0, this.#length);
    }
    return this.#view;
  }

  #record(type: number, cls: number, ttl: number, data: RecordData): void {
    const start = this.#length + 10;
    this.#setUint16(start - 10, type);
    this.#setUint16(start - 8, cls);
    this.#setUint16(start - 6, ttl >>> 16);
    this.#setUint16(start - 4, ttl);
    this.#length = start;
    for (const part of data) {
      if (typeof part === "string") this.#name(part);
      else this.#append(part, 0, part.length);
    }
    this.#setUint16(start - 2, this.#length - start);
  }

  /** Appends a name: after labels of its own, a pointer to an earlier name. */
  #name(name: string): void {
    for (; name !== ROOT; name = parentOf(name)) {
      const offset = this.#offsetOf(name);
      if (offset !== undefined) {
        this.#setUint16(this.#length, POINTER | offset);
        this.#length += 2;
        return;
      }
      if (this.#length < UNREACHABLE) this.#offsets.set(name, this.#length);
      const length = name.charCodeAt(0);
      for (let index = 0; index <= length; index++) {
        this.#bytes[this.#length++] = name.charCodeAt(index);
      }
    }
    this.#bytes[this.#length++] = 0;
  }

  /** Most names are that of the question, and need no table. */
  #offsetOf(name: string): number | undefined {
    if (name === this.#asked) return HEADER_BYTES;
    if (this.#offsets.size === 0) this.#rememberQuestion();
    return this.#offsets.get(name);
  }

  /** Remembers where the name of the question is, and each name at its end. */
  #rememberQuestion(): void {
    let at = HEADER_BYTES;
    for (let name = this.#asked; name !== ROOT; name = parentOf(name)) {
      this.#offsets.set(name, at);
      at += 1 + name.charCodeAt(0);
    }
  }

  #setUint16(at: number, value: number): void {
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value;
  }

  /** Few bytes: a loop is faster than `set()`. */
  #append(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      this.#bytes[this.#length++] = bytes[at]!;
    }
  }
}
