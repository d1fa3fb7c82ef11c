/**
 * Checks the names of options. A misspelt one would be ignored, and
 * `listen({ host: "127.0.0.1" })` would listen to the whole network.
 *
 * @module
 */

/** All names of an interface of options; the compiler checks that none is missing. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/** Names that other libraries use. */
const SYNONYMS: Readonly<Record<string, string>> = {
  host: "hostname",
  address: "hostname",
};

/**
 * Checks that all options are known.
 *
 * @param options The options to check
 * @param names The names that are known
 * @throws {TypeError} with the unknown name, and the known one that is most like it
 */
export function checkOptions(
  options: object,
  names: Readonly<Record<string, true>>,
): void {
  for (const name in options) {
    if (!Object.hasOwn(names, name)) throw unknown(name, Object.keys(names));
  }
}

/**
 * Checks a signal before an operation begins, which would stay begun if it could not
 * listen to the signal.
 *
 * @throws {TypeError} if it is something else, as its `AbortController`
 */
export function checkAbortSignal(signal: AbortSignal | undefined): void {
  if ((signal ?? null) === null) return;
  if (typeof signal!.aborted === "boolean") return;
  throw new TypeError('Option "signal" is no AbortSignal');
}

function unknown(name: string, names: readonly string[]): TypeError {
  const meant = names.find((known) => known === SYNONYMS[name]) ??
    nearest(names, name) ?? names.find((known) => isPart(known, name));
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  return new TypeError(`Unknown option "${name}"${hint}`);
}

/** The nearest name, at most two letters away. */
function nearest(names: readonly string[], name: string): string | undefined {
  const near = names.filter((known) => distance(known, name) <= 2);
  return near.sort((a, b) => distance(a, name) - distance(b, name))[0];
}

function isPart(known: string, given: string): boolean {
  const [whole, part] = [known.toLowerCase(), given.toLowerCase()];
  return part.length > 2 && (whole.includes(part) || part.includes(whole));
}

/** The number of letters to insert, delete or replace (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
