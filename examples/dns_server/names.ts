/**
 * Domain names as strings, with a character for each byte of their form in a message:
 * "\x03www\x07example\0". They are in lower case, since DNS ignores case (RFC 4343).
 *
 * @module
 */

/** The limits of RFC 1035, section 2.3.4, in bytes. */
const LABEL_BYTES = 63;
const NAME_BYTES = 255;

/** The name of the root, which ends each name. */
export const ROOT = "\0";

/** Replaces escapes of a zone file: `\.` is a dot, and `\065` the byte 65. */
export function unescaped(text: string): string {
  return text.replace(
    /\\(\d{3}|[^])/g,
    (_, escape: string) =>
      escape.length === 3 ? String.fromCharCode(Number(escape) & 255) : escape,
  );
}

/**
 * Makes a name of its text in a zone file.
 *
 * @param text Labels with dots between them; "@" for the origin
 * @param origin The end of a name that has no dot at its end
 * @throws {TypeError} if it is no name
 */
export function nameOf(text: string, origin: string): string {
  if (text === "@") return origin;
  if (text === ".") return ROOT;
  const labels = text
    .replace(/\\[^]|\./g, (match) => match === "." ? "\n" : match)
    .split("\n").map(unescaped);
  const isComplete = labels.at(-1) === "";
  if (isComplete) labels.pop();
  const name = labels.map(withLength).join("") + (isComplete ? ROOT : origin);
  if (name.length <= NAME_BYTES && labels.every(isLabel)) return name;
  throw new TypeError(
    `Cannot use name "${text}": labels must have 1 to 63 bytes, and a name up to 255`,
  );
}

function isLabel({ length }: string): boolean {
  return length > 0 && length <= LABEL_BYTES;
}

function withLength(label: string): string {
  const lower = label.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return String.fromCharCode(label.length) + lower;
}

/** Returns the name without its first label. */
export function parentOf(name: string): string {
  return name.slice(1 + name.charCodeAt(0));
}

/**
 * Reads a name out of a message. It has as many bytes there as the result has
 * characters.
 *
 * @returns null if it is malformed or compressed, as no name of a question may be
 */
export function readName(message: Uint8Array, start: number): string | null {
  let name = "";
  for (let at = start;;) {
    const length = message[at]!;
    const end = at + 1 + length;
    if (!(length <= LABEL_BYTES && end <= message.length)) return null;
    name += String.fromCharCode(length);
    if (length === 0) return name.length <= NAME_BYTES ? name : null;
    for (at++; at < end; at++) name += lowerCase(message[at]!);
  }
}

const A = 65;
const Z = 90;
const LOWER_CASE = 32;

function lowerCase(byte: number): string {
  return String.fromCharCode(byte >= A && byte <= Z ? byte | LOWER_CASE : byte);
}
