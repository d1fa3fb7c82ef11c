/**
 * A zone: its records, and the answer to a question about them.
 *
 * It has neither delegations nor wildcards, so a name has records of its own or none.
 *
 * @module
 */

import { parentOf, ROOT } from "./names.ts";
import { type ResourceRecord, TYPES } from "./records.ts";

/** Response codes: RFC 1035, section 4.1.1, and RFC 6891, section 9. */
export enum Rcode {
  NoError = 0,
  FormatError = 1,
  NameError = 3,
  NotImplemented = 4,
  Refused = 5,
  BadVersion = 16,
}

/** The question for any type. One type answers it, as RFC 8482 permits. */
const ANY = 255;

/** The content of a response. */
export interface Answer {
  readonly rcode: Rcode;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
}

/** An answer without records. */
export function failure(rcode: Rcode): Answer {
  return { rcode, answers: [], authority: [] };
}

/** The records of one name, by type. */
type Node = Map<number, ResourceRecord[]>;

/** A zone. */
export class Zone {
  readonly #apex: string;
  readonly #nodes = new Map<string, Node>();
  /** The SOA record of answers without the wanted records: RFC 2308, section 3. */
  readonly #negative: ResourceRecord;

  /**
   * @param records All records, in any order
   * @throws {TypeError} if there is not one SOA record, or a record that cannot be in
   *   the zone
   */
  constructor(records: readonly ResourceRecord[]) {
    const starts = records.filter(({ type }) => type === TYPES.SOA.code);
    const [soa] = starts;
    if (soa === undefined || starts.length > 1) {
      throw new TypeError(
        `Cannot use ${starts.length} SOA records: a zone has one`,
      );
    }
    this.#apex = soa.owner;
    const minimum = new DataView((soa.data.at(-1) as Uint8Array).buffer);
    this.#negative = { ...soa, ttl: Math.min(soa.ttl, minimum.getUint32(0)) };
    for (const record of records) this.#add(record);
  }

  /** Answers a question of class IN. */
  find(name: string, type: number): Answer {
    const answers: ResourceRecord[] = [];
    for (;;) {
      const node = this.#nodes.get(name);
      if (node === undefined) return this.#missing(name, answers);
      const records = type === ANY
        ? node.values().next().value
        : node.get(type);
      if (records !== undefined) {
        answers.push(...records);
        return { rcode: Rcode.NoError, answers, authority: [] };
      }
      const alias = node.get(TYPES.CNAME.code)?.[0];
      if (alias === undefined) {
        return { rcode: Rcode.NoError, answers, authority: [this.#negative] };
      }
      if (answers.includes(alias)) {
        // The aliases are a circle.
        return { rcode: Rcode.NoError, answers, authority: [] };
      }
      answers.push(alias);
      name = alias.data[0] as string;
    }
  }

  /** The answer for a name without a node; aliases may have led to it. */
  #missing(name: string, answers: ResourceRecord[]): Answer {
    if (this.#contains(name)) {
      return { rcode: Rcode.NameError, answers, authority: [this.#negative] };
    }
    return answers.length === 0
      ? failure(Rcode.Refused)
      : { rcode: Rcode.NoError, answers, authority: [] };
  }

  #contains(name: string): boolean {
    for (let part = name;; part = parentOf(part)) {
      if (part === this.#apex) return true;
      if (part === ROOT) return false;
    }
  }

  #add(record: ResourceRecord): void {
    const { owner, type } = record;
    if (!this.#contains(owner)) {
      throw new TypeError("Cannot use a record of another zone");
    }
    if (owner.startsWith("\x01*")) throw new TypeError("Cannot use wildcards");
    if (type === TYPES.NS.code && owner !== this.#apex) {
      throw new TypeError("Cannot delegate a part of the zone");
    }
    const node = this.#nodeOf(owner);
    const records = node.get(type);
    if (records === undefined) node.set(type, [record]);
    else records.push(record);
    const count = node.get(TYPES.CNAME.code)?.length ?? 0;
    if (count > 0 && (count > 1 || node.size > 1)) {
      throw new TypeError("Cannot use a CNAME record with another record");
    }
  }

  /** Returns the node of a name, and makes those above it: they exist without records. */
  #nodeOf(name: string): Node {
    let node = this.#nodes.get(name);
    if (node !== undefined) return node;
    node = new Map();
    this.#nodes.set(name, node);
    if (name !== this.#apex) this.#nodeOf(parentOf(name));
    return node;
  }
}
