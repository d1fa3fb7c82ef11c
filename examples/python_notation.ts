/**
 * Values as Python prints them, since the article's programs print with Python's
 * `repr()`: b'This is ', ('127.0.0.1', 50442).
 *
 * @module
 */

import type { SocketAddress } from "../mod.ts";

/** The characters that have a short escape. */
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\\": "\\\\",
};

/** Characters for which Python's `str.isprintable()` is false: these categories except the space. */
const UNPRINTABLE = /(?! )[\p{Other}\p{Separator}]/u;

const SINGLE_QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;

/** Length of the longest notation of a byte: \x7f. */
const LONGEST = 4;

/** The notation of each byte within these quotes: `LONGEST` bytes, and how many are used. */
class Notations {
  readonly text = new Uint8Array(256 * LONGEST);
  readonly lengths = new Uint8Array(256);

  constructor(quote: string) {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      const notation = escaped(character, quote, !/[ -~]/.test(character));
      encoder.encodeInto(notation, this.text.subarray(byte * LONGEST));
      this.lengths[byte] = notation.length;
    }
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const singleQuoted = new Notations("'");
const doubleQuoted = new Notations('"');

/** How many bytes are converted at a time, and room for their notations. */
const PART = 16 * 1024;
const room = new Uint8Array(PART * LONGEST);

/** Bytes as Python prints them: b'It will be sent ', b"isn't", b'\x00\n'. */
export function bytesRepr(bytes: Uint8Array): string {
  // Double quotes only where they save an escape.
  const isDouble = bytes.includes(SINGLE_QUOTE) &&
    !bytes.includes(DOUBLE_QUOTE);
  const quote = isDouble ? '"' : "'";
  const notations = isDouble ? doubleQuoted : singleQuoted;
  let text = `b${quote}`;
  for (let start = 0; start < bytes.length; start += PART) {
    text += written(bytes.subarray(start, start + PART), notations);
  }
  return text + quote;
}

/** Looks up each byte in a table: a server prints all received bytes twice. */
function written(part: Uint8Array, { text, lengths }: Notations): string {
  let size = 0;
  for (let index = 0; index < part.length; index++) {
    const byte = part[index]!;
    const length = lengths[byte]!;
    const from = byte * LONGEST;
    for (let offset = 0; offset < length; offset++) {
      room[size++] = text[from + offset]!;
    }
  }
  return decoder.decode(room.subarray(0, size));
}

/** A text as Python prints it: '127.0.0.1', "isn't", '\x7f'. */
function textRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const characters = Array.from(
    text,
    (character) => escaped(character, quote, UNPRINTABLE.test(character)),
  );
  return `${quote}${characters.join("")}${quote}`;
}

/** An address as Python prints it: a pair for IPv4, a tuple of four for IPv6, a path for Unix. */
export function addressRepr(address: SocketAddress): string {
  if ("path" in address) return pathRepr(address.path);
  const [host, scope = "0"] = address.hostname.split("%");
  const pair = `${textRepr(host!)}, ${address.port}`;
  // The third item is the flow label, which is 0 by default.
  return host!.includes(":") ? `(${pair}, 0, ${scope})` : `(${pair})`;
}

/** Prints an abstract Unix address as bytes, since it need not be text. */
function pathRepr(path: string): string {
  return path.startsWith("\0")
    ? bytesRepr(new TextEncoder().encode(path))
    : textRepr(path);
}

/** A character as Python prints it within these quotes. */
function escaped(
  character: string,
  quote: string,
  isUnprintable: boolean,
): string {
  if (character === quote) return `\\${quote}`;
  return SHORT_ESCAPES[character] ??
    (isUnprintable ? hexEscape(character) : character);
}

/** The shortest of \x7f, \u2028 and \U000e0001 that holds the character. */
function hexEscape(character: string): string {
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${hex.padStart(4, "0")}`;
  return `\\U${hex.padStart(8, "0")}`;
}
