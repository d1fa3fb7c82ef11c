/**
 * Finds the prose of a file: comments and messages of a program, paragraphs, list
 * items and table cells of a page. Code, links and quotations are replaced or removed,
 * so that rules about language see only language.
 *
 * @module
 */

/** Lines of prose that belong together. */
export interface Passage {
  readonly kind: "comment" | "message" | "text" | "heading" | "cell";
  readonly lines: readonly Line[];
}

/** A line of a passage. */
export interface Line {
  /** Its number in the file, from 1. */
  readonly number: number;
  readonly text: string;
}

/** A sentence, and the line in which it begins. */
export interface Sentence {
  readonly kind: Passage["kind"];
  readonly line: number;
  readonly text: string;
}

/** The sentences of a file of TypeScript or Markdown. */
export function sentencesOf(file: string, source: string): Sentence[] {
  const passages = file.endsWith(".md")
    ? pagePassages(numbered(source, 1))
    : programPassages(source);
  return passages.flatMap(splitIntoSentences);
}

/** One of these starts a passage of its own. */
const ITEM = /^\s*(?:[-*+] |\d+\. |@\w+)/;

/** A list item's marker, or a tag with a parameter's name. */
const MARKER =
  /^\s*(?:[-*+] |\d+\. |@(?:param|template)\s+\S+\s*(?:- )?|@\w+\s?)/;

/** The passages of a page, or of a comment that is written like one. */
function pagePassages(
  lines: Line[],
  kind: Passage["kind"] = "text",
): Passage[] {
  const passages: Passage[] = [];
  let open: Line[] = [];
  const end = (): void => {
    if (open.length > 0) passages.push({ kind, lines: open });
    open = [];
  };
  for (const line of withoutCode(lines)) {
    const { text, number } = line;
    if (/^\s*(?:>|<|$)/.test(text) || /^ {4,}\S/.test(text) && !open.length) {
      end();
    } else if (/^\s*\|/.test(text)) {
      end();
      passages.push(...cells(line));
    } else if (/^#+ /.test(text)) {
      end();
      const heading = { number, text: text.replace(/^#+ /, "") };
      passages.push({ kind: "heading", lines: [heading] });
    } else {
      if (ITEM.test(text)) end();
      open.push({ number, text: text.replace(MARKER, "") });
    }
  }
  end();
  return passages;
}

/** Without fenced blocks and the comments of HTML. */
function* withoutCode(lines: Line[]): Generator<Line> {
  let fence: string | undefined;
  for (const line of lines) {
    const mark = line.text.match(/^\s*(```+|~~~+|<!--)/)?.[1];
    if (fence !== undefined) {
      const ends = fence === "<!--" ? /-->/ : new RegExp(`^\\s*${fence}`);
      if (ends.test(line.text)) fence = undefined;
    } else if (mark === undefined) yield line;
    else {
      yield { number: line.number, text: "" };
      if (mark !== "<!--" || !line.text.includes("-->")) fence = mark;
    }
  }
}

function cells({ number, text }: Line): Passage[] {
  return text.replace(/`[^`]*`/g, (code) => code.replaceAll("|", " "))
    .split(/(?<!\\)\|/)
    .filter((cell) => /\w/.test(cell))
    .map((cell) => ({
      kind: "cell",
      lines: [{ number, text: cell.trim() }],
    }));
}

/** The passages of comments, and strings that are a message. */
function programPassages(source: string): Passage[] {
  return [...joinLineComments(tokens(source))].flatMap(
    ({ kind, text, line }) => {
      if (kind === "comment") {
        return pagePassages(numbered(withoutStars(text), line), "comment");
      }
      const isMessage = /[a-z]\S* \S+ \S/.test(text) && !text.includes("\n");
      return isMessage
        ? [{ kind: "message", lines: [{ number: line, text }] }]
        : [];
    },
  );
}

function numbered(text: string, first: number): Line[] {
  return text.split("\n").map((text, index) => ({
    number: first + index,
    text,
  }));
}

function withoutStars(comment: string): string {
  return comment.replace(/^\/\*+|\*+\/$/g, "").replace(/^[ \t]*\* ?/gm, "")
    .replace(/^\/\/ ?/gm, "").replace(/^ ?(?:deno-lint-ignore|@ts-).*$/gm, "");
}

interface Token {
  readonly kind: "comment" | "string";
  readonly text: string;
  readonly line: number;
  /** Whether it begins its line. */
  readonly isFirst: boolean;
}

/** `//` comments of successive lines are one text. */
function* joinLineComments(all: Iterable<Token>): Generator<Token> {
  let open: Token | undefined;
  for (const token of all) {
    const isLine = token.text.startsWith("//");
    const height = open?.text.split("\n").length ?? 0;
    const follows = token.isFirst && open?.line === token.line - height;
    if (open && isLine && follows) {
      open = { ...open, text: `${open.text}\n${token.text}` };
      continue;
    }
    if (open) yield open;
    open = isLine ? token : undefined;
    if (!isLine) yield token;
  }
  if (open) yield open;
}

/** The tokens of a program that matter here; the rest is skipped. */
const TOKEN = new RegExp(
  [
    /(?<comment>\/\/[^\n]*|\/\*[^]*?\*\/)/,
    /(?<string>"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*')/,
    /(?<template>`)/,
    /(?<regex>(?<=[(,=:[!&|?{};+]\s*|return\s+)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/)/,
    /(?<open>\{)|(?<close>\})/,
  ].map(({ source }) => source).join("|"),
  "g",
);

function* tokens(source: string): Generator<Token> {
  const line = lineCounter(source);
  /** For each template around: how many braces are open within its `${}`. */
  const templates: number[] = [];
  let at = 0;
  while (true) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    if (match === null) return;
    const { comment, string, template, open, close } = match.groups!;
    at = TOKEN.lastIndex;
    const begins = source.lastIndexOf("\n", match.index) + 1;
    const place = {
      line: line(match.index),
      isFirst: source.slice(begins, match.index).trim() === "",
    };
    if (comment !== undefined) {
      yield { kind: "comment", text: comment, ...place };
    } else if (string !== undefined) {
      yield { kind: "string", text: string.slice(1, -1), ...place };
    } else if (open && templates.length > 0) templates[0]! += 1;
    else if (close && templates.length > 0) templates[0]! -= 1;
    const resumes = close !== undefined && templates[0] === 0;
    if (template === undefined && !resumes) continue;
    if (resumes) templates.shift();
    const end = endOfTemplate(source, at);
    const text = source.slice(at, end);
    yield { kind: "string", text: text + "`X`", ...place };
    if (source[end] === "$") templates.unshift(1);
    at = end + (source[end] === "$" ? 2 : 1);
  }
}

/** Where a template's text ends: at the next "`" or "${". */
function endOfTemplate(source: string, from: number): number {
  const end = /(?:[^`\\$]|\\[^]|\$(?!\{))*/y;
  end.lastIndex = from;
  end.exec(source);
  return end.lastIndex;
}

/** The number of a line, for indices that never decrease. */
function lineCounter(source: string): (index: number) => number {
  let line = 1;
  let at = 0;
  return (index) => {
    for (; at < index; at++) if (source[at] === "\n") line++;
    return line;
  };
}

function splitIntoSentences({ kind, lines }: Passage): Sentence[] {
  const text = lines.map((line) => line.text).join("\n");
  const plain = withoutMarkup(text);
  const sentences: Sentence[] = [];
  let line = lines[0]!.number;
  for (
    const part of plain.split(
      /(?<=[.!?]["')\]]*)(?=\s+["'([*_]*[A-Z\d`])|(?= · )/,
    )
  ) {
    const begins = line + (part.match(/^\s*/)![0].match(/\n/g)?.length ?? 0);
    const sentence = part.trim();
    if (/[a-z]/i.test(sentence)) {
      sentences.push({ kind, line: begins, text: sentence });
    }
    line += part.match(/\n/g)?.length ?? 0;
  }
  return sentences;
}

/** Code becomes `X`, a link its text; ends of lines stay where they are. */
function withoutMarkup(text: string): string {
  const ends = (part: string): string => part.replace(/[^\n]+/g, "");
  return text
    .replace(
      /``[^]+?``|`[^`]+`|\{@link(?:code)? [^}]*\}/g,
      (code) => "`X`" + ends(code),
    )
    .replace(
      /!?\[([^\]]*)\]\([^)]*\)/g,
      (link, shown) => link.startsWith("!") ? ends(link) : shown,
    )
    .replace(/https?:\/\/\S+/g, "`X`")
    .replace(/\*\*/g, "");
}
