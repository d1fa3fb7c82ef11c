/**
 * Resource records: the types that this server knows, and their data.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";
import { nameOf, unescaped } from "./names.ts";

/**
 * The data of a record as it is sent. A string is a name, which can be compressed; the
 * rest is bytes.
 */
export type RecordData = readonly (string | Uint8Array)[];

/** A resource record of class IN. */
export interface ResourceRecord {
  readonly owner: string;
  readonly type: number;
  /** How long others may keep it, in seconds. */
  readonly ttl: number;
  readonly data: RecordData;
}

/** A type of records, and the fields of its data. */
export interface RecordType {
  readonly code: number;
  readonly fields: readonly Field[];
}

type Field = "ipv4" | "ipv6" | "name" | "u16" | "u32" | "strings";

/** The types of RFC 1035, section 3.2.2, and AAAA of RFC 3596. */
export const TYPES = {
  A: { code: 1, fields: ["ipv4"] },
  NS: { code: 2, fields: ["name"] },
  CNAME: { code: 5, fields: ["name"] },
  SOA: {
    code: 6,
    fields: ["name", "name", "u32", "u32", "u32", "u32", "u32"],
  },
  PTR: { code: 12, fields: ["name"] },
  MX: { code: 15, fields: ["u16", "name"] },
  TXT: { code: 16, fields: ["strings"] },
  AAAA: { code: 28, fields: ["ipv6"] },
} as const satisfies Record<string, RecordType>;

/** The longest string of a TXT record, and the longest data of any record, in bytes. */
const STRING_BYTES = 255;
const DATA_BYTES = 65_535;

/**
 * Encodes the data of a record.
 *
 * @param words Its fields, as a zone file has them
 * @param origin The end of names that have no dot at their end
 * @throws {TypeError} if a field is malformed, missing or one too many
 */
export function encodeData(
  { fields }: RecordType,
  words: readonly string[],
  origin: string,
): RecordData {
  const isList = fields[0] === "strings";
  if (isList ? words.length === 0 : words.length !== fields.length) {
    throw new TypeError(
      `Cannot use ${words.length} fields: the type has ${fields.length}`,
    );
  }
  const data = words.map((word, index) =>
    encodeField(isList ? "strings" : fields[index]!, word, origin)
  );
  if (data.reduce((sum, { length }) => sum + length, 0) <= DATA_BYTES) {
    return data;
  }
  throw new TypeError(`Cannot use data of more than ${DATA_BYTES} bytes`);
}

function encodeField(
  field: Field,
  word: string,
  origin: string,
): string | Uint8Array {
  switch (field) {
    case "name":
      return nameOf(word, origin);
    case "ipv4":
      if (!isIPv4(word)) break;
      return Uint8Array.from(word.split("."), Number);
    case "ipv6":
      if (!isIPv6(word) || word.includes("%")) break;
      return bytesOfIPv6(word);
    case "u16":
      return bigEndian(numberOf(word, 0xffff)).subarray(2);
    case "u32":
      return bigEndian(numberOf(word, 0xffff_ffff));
    case "strings":
      return withLength(unescaped(word));
  }
  throw new TypeError(`Cannot use "${word}": it must be an ${field} address`);
}

/**
 * Reads a number of a zone file.
 *
 * @throws {TypeError} if it is none, or too large
 */
export function numberOf(word: string, maximum: number): number {
  if (/^\d+$/.test(word) && Number(word) <= maximum) return Number(word);
  throw new TypeError(`Cannot use "${word}": it must be 0 to ${maximum}`);
}

function bigEndian(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** A string of a TXT record: a length, and so many bytes. */
function withLength(text: string): Uint8Array {
  if (text.length > STRING_BYTES) {
    throw new TypeError(`Cannot use a string of ${text.length} bytes`);
  }
  return Uint8Array.from([
    text.length,
    ...Array.from(text, (character) => character.charCodeAt(0)),
  ]);
}

function bytesOfIPv6(word: string): Uint8Array {
  // The URL has it in lower case, and with no IPv4 address at its end.
  const { hostname } = new URL(`http://[${word}]`);
  const [before, after] = hostname.slice(1, -1).split("::").map(groupsOf);
  const rest = after ?? [];
  const zeros = Array<number>(8 - before!.length - rest.length).fill(0);
  const groups = [...before!, ...zeros, ...rest];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
}
