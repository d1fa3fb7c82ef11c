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

/** What Python's `str.isprintable()` is false for: everything of these two categories but the space. */
const UNPRINTABLE = /(?! )[\p{Other}\p{Separator}]/u;

/** Bytes as Python prints them: b'It will be sent ', b"isn't", b'\x00\n'. */
export function bytesRepr(bytes: Uint8Array): string {
  // One character for each byte, of which only those of ASCII are printed as they are.
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return `b${quoted(text, (character) => !/[ -~]/.test(character))}`;
}

/** A text as Python prints it: '127.0.0.1', "isn't", '\x7f'. */
export function textRepr(text: string): string {
  return quoted(text, (character) => UNPRINTABLE.test(character));
}

/** An address as Python prints it: a pair for IPv4, a tuple of four for IPv6, a path for Unix. */
export function addressRepr(address: SocketAddress): string {
  if ("path" in address) return pathRepr(address.path);
  const [host, scope = "0"] = address.hostname.split("%");
  const pair = `${textRepr(host!)}, ${address.port}`;
  // The third is the flow label, which is 0 for whoever does not ask for one.
  return host!.includes(":") ? `(${pair}, 0, ${scope})` : `(${pair})`;
}

/** Python has abstract Unix addresses as bytes, since they need not be text. */
function pathRepr(path: string): string {
  return path.startsWith("\0")
    ? bytesRepr(new TextEncoder().encode(path))
    : textRepr(path);
}

function quoted(
  text: string,
  isEscaped: (character: string) => boolean,
): string {
  // Double quotes only where they save an escape.
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const characters = Array.from(text, (character) => {
    if (character === quote) return `\\${quote}`;
    const short = SHORT_ESCAPES[character];
    if (short !== undefined) return short;
    return isEscaped(character) ? hexEscape(character) : character;
  });
  return `${quote}${characters.join("")}${quote}`;
}

/** The shortest of \x7f, \u2028 and \U000e0001 that holds the character. */
function hexEscape(character: string): string {
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${hex.padStart(4, "0")}`;
  return `\\U${hex.padStart(8, "0")}`;
}
