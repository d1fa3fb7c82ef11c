/**
 * IP addresses between text and bytes: numeric addresses only, because a resolver of
 * names would wait.
 *
 * @module
 */

/**
 * The four bytes of an IPv4 address, or null if it is none. The numbers are decimal,
 * without leading zeros: the strict form of RFC 6943, section 3.1.1.
 */
export function parseIPv4(text: string): Uint8Array<ArrayBuffer> | null {
  const parts = text.split(".");
  const bytes = new Uint8Array(4);
  for (let index = 0; index < 4; index++) {
    const number = Number(parts[index]);
    if (!(number >= 0 && number <= 255)) return null;
    if (String(number) !== parts[index]) return null;
    bytes[index] = number;
  }
  return parts.length === 4 ? bytes : null;
}

/** The 16-bit groups of one side of the "::", or null if one is no group. */
function parseGroups(text: string): number[] | null {
  if (text === "") return [];
  const groups = text.split(":");
  const last = groups.at(-1)!;
  const numbers: number[] = [];
  if (last.includes(".")) {
    const bytes = parseIPv4(last);
    if (bytes === null) return null;
    groups.pop();
    numbers.push(bytes[0]! << 8 | bytes[1]!, bytes[2]! << 8 | bytes[3]!);
  }
  const high: number[] = [];
  for (const group of groups) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
    high.push(parseInt(group, 16));
  }
  return [...high, ...numbers];
}

/** The sixteen bytes of an IPv6 address (RFC 4291, section 2.2), or null if it is none. */
export function parseIPv6(text: string): Uint8Array<ArrayBuffer> | null {
  const sides = text.split("::");
  if (sides.length > 2) return null;
  // Only the last group may be written as IPv4.
  if (sides.length === 2 && sides[0]!.includes(".")) return null;
  const left = parseGroups(sides[0]!);
  const right = parseGroups(sides[1] ?? "");
  if (left === null || right === null) return null;
  const missing = 8 - left.length - right.length;
  if (sides.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...left, ...new Array<number>(missing).fill(0), ...right];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The text of four bytes, as in "127.0.0.1". */
export function formatIPv4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

/** Where the longest run of two or more zero groups is, which "::" stands for. */
function longestZeroRun(
  groups: readonly number[],
): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > best[1]) best = [start, end - start];
    if (end > start) start = end;
  }
  return best[1] > 1 ? best : [0, 0];
}

/** The text of sixteen bytes in the one form of RFC 5952, as in "2001:db8::1". */
export function formatIPv6(bytes: Uint8Array): string {
  const groups = Array.from(
    { length: 8 },
    (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!,
  );
  const [start, length] = longestZeroRun(groups);
  if (start === 0 && length === 5 && groups[5] === 0xffff) {
    return `::ffff:${formatIPv4(bytes.subarray(12))}`;
  }
  const text = (part: number[]): string =>
    part.map((group) => group.toString(16)).join(":");
  if (length === 0) return text(groups);
  return `${text(groups.slice(0, start))}::${
    text(groups.slice(start + length))
  }`;
}
