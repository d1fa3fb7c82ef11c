/**
 * The paths of Unix sockets between text and bytes. The kernel takes any bytes. Bytes
 * that are no UTF-8 become lone surrogates, U+DC80 for 0x80 to U+DCFF for 0xff, and
 * back. Python does the same ("surrogateescape", PEP 383). So a datagram can always
 * be answered, whatever the path of its sender.
 *
 * @module
 */

/** The surrogate of a byte is this number and the byte. */
const ESCAPE = 0xdc00;

/**
 * The bytes of a path.
 *
 * @throws {TypeError} if it has a lone surrogate that stands for no byte
 */
export function encodePath(path: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  if (path.isWellFormed()) return encoder.encode(path);
  const bytes: number[] = [];
  for (const character of path) {
    if (character.isWellFormed()) bytes.push(...encoder.encode(character));
    else bytes.push(escapedByte(character, path));
  }
  return Uint8Array.from(bytes);
}

function escapedByte(character: string, path: string): number {
  const byte = character.charCodeAt(0) - ESCAPE;
  if (byte >= 0x80 && byte <= 0xff) return byte;
  throw new TypeError(
    `Cannot use path ${JSON.stringify(path)}: it contains a lone surrogate`,
  );
}

/** The text of bytes. */
export function decodePath(bytes: Uint8Array<ArrayBuffer>): string {
  let text = "";
  let start = 0;
  for (let index = 0; index < bytes.length;) {
    const length = characterBytes(bytes, index);
    if (length === 0) {
      text += decodeText(bytes.subarray(start, index)) +
        String.fromCharCode(ESCAPE + bytes[index]!);
      start = index + 1;
    }
    index += Math.max(length, 1);
  }
  return text + decodeText(bytes.subarray(start));
}

function decodeText(bytes: Uint8Array<ArrayBuffer>): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** How many bytes the character at a place has: 0 if it is none of UTF-8 (RFC 3629, section 4). */
function characterBytes(bytes: Uint8Array, index: number): number {
  const lead = bytes[index]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 || lead > 0xf4
    ? 0
    : lead < 0xe0
    ? 2
    : lead < 0xf0
    ? 3
    : 4;
  for (let next = 1; next < length; next++) {
    if ((bytes[index + next]! & 0xc0) !== 0x80) return 0;
  }
  return isShortestScalar(lead, bytes[index + 1]!) ? length : 0;
}

/** Neither longer than need be, nor a surrogate, nor above U+10FFFF. */
function isShortestScalar(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0;
  if (lead === 0xed) return second <= 0x9f;
  if (lead === 0xf0) return second >= 0x90;
  return lead !== 0xf4 || second <= 0x8f;
}
