/**
 * Options are known by their names: one that is misspelt would be left out in
 * silence, and `listen({ host: "127.0.0.1" })` listen to the whole network.
 *
 * @module
 */

/** The names of all that an interface of options has; the compiler sees that none is missing. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/** What other libraries call it. */
const SYNONYMS: Readonly<Record<string, string>> = {
  host: "hostname",
  address: "hostname",
};

/**
 * Refuses options of which one is unknown.
 *
 * @param options What was given
 * @param names What there is
 * @throws {TypeError} that names the unknown one, and the one that it is most like
 */
export function checkOptions(
  options: object,
  names: Readonly<Record<string, true>>,
): void {
  for (const name in options) {
    if (!Object.hasOwn(names, name)) throw unknown(name, Object.keys(names));
  }
}

function unknown(name: string, names: readonly string[]): TypeError {
  const meant = names.find((known) => known === SYNONYMS[name]) ??
    nearest(names, name) ?? names.find((known) => isPart(known, name));
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  return new TypeError(`Unknown option "${name}"${hint}`);
}

/** The name that two letters make of it at the most, or fewer than of any other. */
function nearest(names: readonly string[], name: string): string | undefined {
  const near = names.filter((known) => distance(known, name) <= 2);
  return near.sort((a, b) => distance(a, name) - distance(b, name))[0];
}

function isPart(known: string, given: string): boolean {
  const [whole, part] = [known.toLowerCase(), given.toLowerCase()];
  return part.length > 2 && (whole.includes(part) || part.includes(whole));
}

/** How many letters are to be put in, left out or replaced (Levenshtein). */
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
