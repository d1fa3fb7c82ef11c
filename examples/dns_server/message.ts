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
  readonly question: Question;
  /** The bytes of the question, which the response repeats in the same case. */
  readonly questionBytes: Uint8Array;
  readonly extensions: Extensions | null;
}

/** Reads a query after its header. @returns null if it is malformed */
export function readQuery(message: Uint8Array): Query | null {
  const view = viewOf(message);
  const name = readName(message, HEADER_BYTES);
  if (view.getUint16(4) !== 1 || name === null) return null;
  const end = HEADER_BYTES + name.length + 4;
  if (end > message.length) return null;
  const question = {
    name,
    type: view.getUint16(end - 4),
    class: view.getUint16(end - 2),
  };
  const extensions = readExtensions(message, view, end);
  if (extensions === undefined) return null;
  const questionBytes = message.subarray(HEADER_BYTES, end);
  return { question, questionBytes, extensions };
}

/**
 * Reads the OPT record among those that follow the question.
 *
 * @returns null if there is none; undefined if the message is malformed
 */
function readExtensions(
  message: Uint8Array,
  view: DataView,
  start: number,
): Extensions | null | undefined {
  const records = view.getUint16(6) + view.getUint16(8) + view.getUint16(10);
  let extensions: Extensions | null = null;
  let at = start;
  for (let index = 0; index < records; index++) {
    const fields = endOfName(message, at);
    const data = fields + 10;
    if (data > message.length) return undefined;
    if (view.getUint16(fields) === OPT) {
      if (extensions !== null || message[at] !== 0) return undefined;
      extensions = {
        payload: view.getUint16(fields + 2),
        version: view.getUint8(fields + 5),
        flags: view.getUint16(fields + 6),
      };
    }
    at = data + view.getUint16(fields + 8);
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
  readonly #view = viewOf(this.#bytes);
  readonly #offsets = new Map<string, number>();
  /** The bytes that are written. */
  length = 0;

  /** Begins a response without records. */
  begin(id: number, flags: number, query: Query | null): void {
    this.#bytes.fill(0, 0, HEADER_BYTES);
    this.#view.setUint16(0, id);
    this.#view.setUint16(2, flags);
    this.#offsets.clear();
    this.length = HEADER_BYTES;
    if (query === null) return;
    this.#view.setUint16(4, 1);
    this.#remember(query.question.name);
    this.#append(query.questionBytes);
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
      if (this.length > maximum) return false;
    }
    this.#view.setUint16(count, records.length);
    return true;
  }

  /** Appends the OPT record. */
  extend(payload: number, rcode: number, { flags }: Extensions): void {
    const ttl = (rcode >> 4) * 2 ** 24 + (flags & DNSSEC_OK);
    this.#name(ROOT);
    this.#record(OPT, payload, ttl, []);
    this.#view.setUint16(10, 1);
  }

  /** The response. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }

  #record(type: number, cls: number, ttl: number, data: RecordData): void {
    this.#uint16(type);
    this.#uint16(cls);
    this.#uint16(ttl >>> 16);
    this.#uint16(ttl & 0xffff);
    this.#uint16(0);
    const start = this.length;
    for (const part of data) {
      if (typeof part === "string") this.#name(part);
      else this.#append(part);
    }
    this.#view.setUint16(start - 2, this.length - start);
  }

  /** Appends a name: after labels of its own, a pointer to an earlier name. */
  #name(name: string): void {
    for (; name !== ROOT; name = parentOf(name)) {
      const offset = this.#offsets.get(name);
      if (offset !== undefined) return this.#uint16(POINTER | offset);
      if (this.length < UNREACHABLE) this.#offsets.set(name, this.length);
      const length = name.charCodeAt(0);
      for (let index = 0; index <= length; index++) {
        this.#bytes[this.length++] = name.charCodeAt(index);
      }
    }
    this.#bytes[this.length++] = 0;
  }

  /** Remembers where the parts of the name are that is appended next. */
  #remember(name: string): void {
    for (let at = this.length; name !== ROOT; name = parentOf(name)) {
      this.#offsets.set(name, at);
      at += 1 + name.charCodeAt(0);
    }
  }

  #uint16(value: number): void {
    this.#view.setUint16(this.length, value);
    this.length += 2;
  }

  #append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }
}

/** The fields of a message, which are big-endian. */
export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
