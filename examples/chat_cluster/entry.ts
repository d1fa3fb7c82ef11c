/**
 * The entries of the log.
 *
 * @module
 */

/** A guest has come in, or has come back. */
export interface Joined {
  readonly kind: "joined";
  readonly name: string;
  /** The hash of its page's secret; null for a terminal. */
  readonly key: string | null;
  /** The process that has its connection. */
  readonly process: string;
  /** The connection. */
  readonly id: string;
}

/** An entry. */
export type Entry =
  | Joined
  | { readonly kind: "left"; readonly name: string }
  | {
    readonly kind: "said";
    readonly name: string;
    readonly text: string;
    /** The number that its page gave to it. */
    readonly id?: number;
  };

/** Parses an entry; null if it is malformed, because any client may write to a broker. */
export function parseEntry(data: Uint8Array): Entry | null {
  try {
    const entry = JSON.parse(new TextDecoder().decode(data));
    return isEntry(entry) ? entry : null;
  } catch {
    return null;
  }
}

function isEntry(entry: Partial<Record<string, unknown>>): boolean {
  const areTexts = (...names: string[]): boolean =>
    names.every((name) => typeof entry[name] === "string");
  switch (entry.kind) {
    case "joined":
      return areTexts("name", "process", "id");
    case "said":
      return areTexts("name", "text");
    default:
      return entry.kind === "left" && areTexts("name");
  }
}
