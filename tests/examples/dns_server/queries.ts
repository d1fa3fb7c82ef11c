/** Messages of DNS, as clients send them. */

import { nameOf, ROOT } from "../../../examples/dns_server/names.ts";
import {
  type RecordType,
  TYPES,
} from "../../../examples/dns_server/records.ts";
import { bytesOf } from "../../util.ts";

/** The parts of a query that tests change. */
export interface QueryOptions {
  readonly name?: string;
  readonly type?: keyof typeof TYPES | number;
  readonly class?: number;
  readonly flags?: number;
  /** The payload of an OPT record. Default: there is none. */
  readonly payload?: number;
}

/** The identifier of each query. */
export const ID = 0x1234;

/** A query with one question. */
export function queryOf(options: QueryOptions = {}): Uint8Array<ArrayBuffer> {
  const { name = "example.org.", type = "A", flags = 0 } = options;
  const isExtended = options.payload !== undefined;
  const code = typeof type === "number"
    ? type
    : (TYPES[type] as RecordType).code;
  return new Uint8Array([
    ...words(ID, flags, 1, 0, 0, isExtended ? 1 : 0),
    ...bytesOf(nameOf(name, ROOT)),
    ...words(code, options.class ?? 1),
    ...(isExtended ? [0, ...words(41, options.payload!, 0, 0, 0)] : []),
  ]);
}

/** Numbers of 16 bits, big-endian. */
export function words(...numbers: number[]): number[] {
  return numbers.flatMap((number) => [number >> 8, number & 255]);
}

/** The header of a response. */
export interface Header {
  readonly id: number;
  readonly flags: number;
  readonly rcode: number;
  /** How many records each section has: question, answer, authority, additional. */
  readonly counts: readonly number[];
}

/** Reads the header of a response. */
export function headerOf({ buffer, byteOffset }: Uint8Array): Header {
  const view = new DataView(buffer, byteOffset);
  const flags = view.getUint16(2);
  return {
    id: view.getUint16(0),
    flags: flags & ~15,
    rcode: flags & 15,
    counts: [4, 6, 8, 10].map((offset) => view.getUint16(offset)),
  };
}
