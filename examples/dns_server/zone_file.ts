/**
 * Zone files: the format of RFC 1035, section 5, and `$TTL` of RFC 2308. `$INCLUDE` is
 * refused.
 *
 * @module
 */

import { nameOf, ROOT } from "./names.ts";
import {
  encodeData,
  numberOf,
  type RecordType,
  type ResourceRecord,
  TYPES,
} from "./records.ts";

/** The largest time to live, in seconds: RFC 2181, section 8. */
const LONGEST_TTL = 0x7fff_ffff;

/** White space or a comment, a string in quotes, a parenthesis, a line's end, a word. */
const TOKEN =
  /(?:[ \t\r]+|;[^\n]*)|"((?:\\[^]|[^"\\])*)"|([()\n])|((?:\\[^]|[^\s;()"\\])+)/gy;

/** The words of one entry, which parentheses extend over several lines. */
interface Entry {
  readonly line: number;
  /** Whether the line begins with white space, in place of an owner. */
  readonly isIndented: boolean;
  readonly words: readonly string[];
}

/**
 * Reads the records of a zone file.
 *
 * @param text The file, with a character for each byte
 * @param origin The name that "@" stands for before the first `$ORIGIN`
 * @throws {TypeError} with the number of the line, if one is malformed
 */
export function parseZone(
  text: string,
  origin: string = ROOT,
): ResourceRecord[] {
  const reader = new Reader(origin);
  for (const entry of entriesOf(text)) {
    try {
      reader.read(entry);
    } catch (error) {
      throw new TypeError(`Line ${entry.line}: ${(error as Error).message}`);
    }
  }
  return reader.records;
}

/** Divides a file into entries. */
function* entriesOf(text: string): Generator<Entry> {
  let line = 1;
  let depth = 0;
  let entry: Entry & { words: string[] } = newEntry(text, 0, line);
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const [token, quoted, mark, word] = TOKEN.exec(text) ?? [];
    if (token === undefined) {
      throw new TypeError(
        `Line ${line}: Cannot read ${text.slice(at, at + 20)}`,
      );
    }
    line += token.split("\n").length - 1;
    if (quoted !== undefined || word !== undefined) {
      entry.words.push(quoted ?? word!);
    }
    if (mark === "(") depth++;
    if (mark === ")") depth--;
    if (mark !== "\n" || depth > 0) continue;
    if (entry.words.length > 0) yield entry;
    entry = newEntry(text, TOKEN.lastIndex, line);
  }
  if (depth !== 0) throw new TypeError(`Line ${line}: Cannot pair parentheses`);
  if (entry.words.length > 0) yield entry;
}

function newEntry(
  text: string,
  at: number,
  line: number,
): Entry & { words: string[] } {
  return { line, isIndented: /[ \t]/.test(text.charAt(at)), words: [] };
}

/** Makes records of entries. An entry can leave out values that an earlier one has. */
class Reader {
  readonly records: ResourceRecord[] = [];
  #origin: string;
  #owner: string | null = null;
  #defaultTtl: number | null = null;
  #lastTtl: number | null = null;

  constructor(origin: string) {
    this.#origin = origin;
  }

  read({ words, isIndented }: Entry): void {
    const [first, value = ""] = words;
    if (first!.startsWith("$")) return this.#direct(first!, value);
    if (!isIndented) this.#owner = nameOf(first!, this.#origin);
    if (this.#owner === null) throw new TypeError("Cannot find an owner");
    this.#addRecord(this.#owner, words.slice(isIndented ? 0 : 1));
  }

  #direct(directive: string, value: string): void {
    if (directive === "$ORIGIN") this.#origin = nameOf(value, this.#origin);
    else if (directive === "$TTL") {
      this.#defaultTtl = numberOf(value, LONGEST_TTL);
    } else throw new TypeError(`Cannot obey ${directive}`);
  }

  /** Adds a record: `[TTL] [class] type data`, with TTL and class in any order. */
  #addRecord(owner: string, words: string[]): void {
    let ttl: number | null = null;
    for (; words.length > 0; words.shift()) {
      if (/^\d+$/.test(words[0]!)) ttl = numberOf(words[0]!, LONGEST_TTL);
      else if (words[0]!.toUpperCase() !== "IN") break;
    }
    const [name = "", ...fields] = words;
    const type = typeNamed(name);
    const data = encodeData(type, fields, this.#origin);
    ttl ??= this.#defaultTtl ?? this.#lastTtl;
    if (ttl === null) throw new TypeError("Cannot find a time to live");
    this.#lastTtl = ttl;
    this.records.push({ owner, type: type.code, ttl, data });
  }
}

/** @throws {TypeError} if it is unknown here */
function typeNamed(name: string): RecordType {
  const types: Readonly<Record<string, RecordType>> = TYPES;
  const key = name.toUpperCase();
  if (Object.hasOwn(types, key)) return types[key]!;
  throw new TypeError(
    `Cannot use type "${name}": it must be one of ${Object.keys(TYPES)}`,
  );
}
