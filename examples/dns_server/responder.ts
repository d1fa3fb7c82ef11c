/**
 * Makes the response to a message, over UDP or TCP.
 *
 * @module
 */

import {
  EXTENSIONS_BYTES,
  Flag,
  HEADER_BYTES,
  type Query,
  readQuery,
  ResponseWriter,
  uint16,
} from "./message.ts";
import { type Answer, failure, Rcode, type Zone } from "./zone.ts";

/** The longest response over TCP, in bytes. */
const TCP_BYTES = 65_535;

/** The longest response over UDP without EDNS: RFC 1035, section 2.3.4. */
const UDP_BYTES = 512;

/** The longest response over UDP with EDNS: no network on the way has to fragment it. */
const EDNS_BYTES = 1232;

const QUERY = 0;
const CLASS_IN = 1;

/** Transfers of the whole zone, which are refused: IXFR and AXFR. */
const TRANSFERS: readonly number[] = [251, 252];

/** The protocol that a message came by. */
export type Protocol = "tcp" | "udp";

/** Answers messages about one zone. */
export class Responder {
  readonly #zone: Zone;
  readonly #writer = new ResponseWriter();

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  /**
   * Answers a message.
   *
   * @returns the response, which the next call overwrites; null for a message that gets
   *   none: it has no whole header, or is a response itself
   */
  respond(
    message: Uint8Array,
    protocol: Protocol,
  ): Uint8Array<ArrayBuffer> | null {
    if (message.length < HEADER_BYTES) return null;
    const id = uint16(message, 0);
    const flags = uint16(message, 2);
    if ((flags & Flag.Response) !== 0) return null;
    const copied = Flag.Response |
      (flags & (Flag.Opcode | Flag.RecursionDesired));
    if ((flags & Flag.Opcode) !== QUERY) {
      return this.#fail(id, copied | Rcode.NotImplemented);
    }
    const query = readQuery(message);
    if (query === null) return this.#fail(id, copied | Rcode.FormatError);
    const most = protocol === "tcp" ? TCP_BYTES : largestDatagram(query);
    return this.#write(id, copied, query, most);
  }

  /** Writes a response without a question. */
  #fail(id: number, flags: number): Uint8Array<ArrayBuffer> {
    this.#writer.begin(id, flags, null);
    return this.#writer.bytes;
  }

  #answer({ question, extensions }: Query): Answer {
    if (extensions !== null && extensions.version > 0) {
      return failure(Rcode.BadVersion);
    }
    if (question.class !== CLASS_IN || TRANSFERS.includes(question.type)) {
      return failure(Rcode.Refused);
    }
    return this.#zone.find(question.name, question.type);
  }

  #write(
    id: number,
    flags: number,
    query: Query,
    maximum: number,
  ): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    const { extensions } = query;
    const { rcode, answers, authority } = this.#answer(query);
    const isOurs = rcode === Rcode.NoError || rcode === Rcode.NameError;
    const all = flags | (rcode & 15) | (isOurs ? Flag.Authoritative : 0);
    const most = maximum - (extensions === null ? 0 : EXTENSIONS_BYTES);
    writer.begin(id, all, query);
    const fits = writer.section(6, answers, most) &&
      writer.section(8, authority, most);
    if (!fits) writer.begin(id, all | Flag.Truncated, query);
    if (extensions !== null) writer.extend(EDNS_BYTES, rcode, extensions);
    return writer.bytes;
  }
}

/** The longest datagram for a query. */
function largestDatagram({ extensions }: Query): number {
  if (extensions === null) return UDP_BYTES;
  return Math.min(Math.max(extensions.payload, UDP_BYTES), EDNS_BYTES);
}
