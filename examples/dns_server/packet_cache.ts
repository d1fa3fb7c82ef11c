/**
 * Responses over UDP to queries that were answered before, so that the same query is
 * read and answered once. PowerDNS calls it a packet cache.
 *
 * A response depends on the bytes of its query alone, and on all of them except the
 * identifier, which it repeats.
 *
 * @module
 */

/** How many queries are known at a time; a power of two. */
const PLACES = 1024;

/** The longest query and response that are kept. Longer ones are rare. */
const QUERY_BYTES = 128;
const RESPONSE_BYTES = 512;

/** The bytes of an identifier, which begins each message. */
const ID_BYTES = 2;

/** Allocates nothing for a query: those that are never repeated replace each other. */
export class PacketCache {
  readonly #queries = new Uint8Array(new ArrayBuffer(PLACES * QUERY_BYTES));
  readonly #responses = new Uint8Array(
    new ArrayBuffer(PLACES * RESPONSE_BYTES),
  );
  /** By place: the length of its query. */
  readonly #lengths = new Uint8Array(PLACES);
  /** By place: its response, undefined without one. */
  readonly #views: Uint8Array<ArrayBuffer>[] = Array(PLACES);

  /**
   * Finds the response to a query.
   *
   * @returns the response, which the next `keep` may overwrite; null if it is unknown
   */
  find(query: Uint8Array): Uint8Array<ArrayBuffer> | null {
    const place = placeOf(query);
    const response = this.#views[place];
    if (response === undefined || this.#lengths[place] !== query.length) {
      return null;
    }
    const queries = this.#queries;
    const start = place * QUERY_BYTES;
    for (let at = ID_BYTES; at < query.length; at++) {
      if (queries[start + at] !== query[at]) return null;
    }
    response[0] = query[0]!;
    response[1] = query[1]!;
    return response;
  }

  /** Keeps the response to a query. */
  keep(query: Uint8Array, response: Uint8Array): void {
    if (query.length > QUERY_BYTES || response.length > RESPONSE_BYTES) return;
    const place = placeOf(query);
    const start = place * RESPONSE_BYTES;
    this.#queries.set(query, place * QUERY_BYTES);
    this.#responses.set(response, start);
    this.#lengths[place] = query.length;
    if (this.#views[place]?.length === response.length) return;
    const end = start + response.length;
    this.#views[place] = this.#responses.subarray(start, end);
  }
}

/** The place of a query, by a hash of its bytes (FNV-1a). */
function placeOf(query: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = ID_BYTES; at < query.length; at++) {
    hash = Math.imul(hash ^ query[at]!, 0x01000193);
  }
  return (hash ^ hash >>> 15) & PLACES - 1;
}
