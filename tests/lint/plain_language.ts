/**
 * Checks that comments, messages, test names and pages are in plain technical
 * English: `deno task lint:language [FILE…]`. CONTRIBUTING.md has the rules, this
 * file those that a program can check.
 *
 * `--measure` prints how often each is violated instead; `--root=PATH` looks at
 * another tree.
 *
 * @module
 */

import { type Sentence, sentencesOf } from "./prose.ts";

/** A violation of a rule. */
export interface Finding {
  readonly line: number;
  readonly rule: Rule["name"];
  /** The words that violate it. */
  readonly phrase: string;
  /** How to write it instead. */
  readonly advice: string;
  readonly sentence: string;
}

interface Rule {
  readonly name: "person" | "what" | "default" | "word" | "long" | "colons";
  /** How to write it instead. */
  readonly advice: string;
  /** The phrases in a sentence that violate the rule. */
  find(sentence: Sentence): string[];
}

/** A sentence has no more words. */
const MAXIMUM_WORDS = 25;

/** The rules name what they forbid, and the article's text is quoted. */
const SKIPPED = [
  "tests/lint/plain_language.ts",
  "tests/lint/plain_language_test.ts",
  "tests/examples/article/",
  "tests/examples/transcripts.ts",
];

const PERSON =
  /\b(?:who|whom|whoever|whomever|(?:no|some|any|every)body(?:'s)?|(?:some|any|every)one(?:'s)?|he|she|him|his|her|hers|himself|herself|newcomers?)\b/gi;

/** "What" is no question here, and no noun follows it. */
const HEADLESS_WHAT = new RegExp(
  "(?<!\\b(?:says?|said|saying|knows?|known|decides?|decided|depends? on|" +
    "explains?|see|shows?|describes?|defines?|checks?|names?|states?|" +
    "determines?|learn|asks?|asked|chooses?|regardless of|matter)\\s)" +
    "\\bwhat\\b(?!\\s(?:kind|size|happens)\\b)(?:\\s[\\w'`]+)?",
  "gi",
);

const WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /\b(?:told|tells?|telling)\b(?!(?: \S+)? apart)/gi,
    'write "is called with", "reports" or "says"',
  ],
  [
    /\b(?:hears?|heard|talks?|born|news)\b/gi,
    "a descriptor receives, sends, is created; readiness is edge-triggered",
  ],
  [/\bby itself\b/gi, 'write "alone" or "automatically"'],
  [
    /\bstands?\b(?! for\b| in for\b|-)/gi,
    'write "is established", "is" or "waits"',
  ],
  [/\blasts\b/gi, 'write "remains", "takes" or "continues"'],
  [
    /\b(?:gives?|given|gave|giving) up\b/gi,
    'write "fails", "is cancelled" or "stops"',
  ],
  [/\bbesides?\b/gi, 'write "also", "next to" or "compared with"'],
  [/\bbut for\b/gi, 'write "except"'],
  [/\bof use to\b/gi, 'say who uses it: "you", or a function by its name'],
];

const RULES: readonly Rule[] = [
  {
    name: "person",
    advice: 'The subject is code, the kernel or "you": name it',
    find: ({ text }) => text.match(PERSON) ?? [],
  },
  {
    name: "what",
    advice: 'Name the noun: "received bytes" for "what is received"',
    find: ({ text }) =>
      text.endsWith("?") ? [] : text.match(HEADLESS_WHAT) ?? [],
  },
  {
    name: "default",
    advice: 'Write "Default: X"',
    find: ({ text }) =>
      text.match(
        /\b(?:if|when|where)\s(?:\w+\s(?:is|are)\s)?(?:left\sout|omitted)\b|\bleft\sout\b/gi,
      ) ?? [],
  },
  ...WORDS.map(([pattern, advice]): Rule => ({
    name: "word",
    advice: advice[0]!.toUpperCase() + advice.slice(1),
    find: ({ text }) => text.match(pattern) ?? [],
  })),
  {
    name: "long",
    advice:
      `Split it: a sentence has one idea and at most ${MAXIMUM_WORDS} words`,
    find: ({ text }) => {
      const count = wordsOf(text).length;
      return count > MAXIMUM_WORDS ? [`${count} words`] : [];
    },
  },
  {
    name: "colons",
    advice: "Split it: a sentence has at most one colon",
    find: ({ text, kind }) => {
      const own = text.replace(/"[^"]*"/g, '""');
      const count = own.match(/:(?=\s)/g)?.length ?? 0;
      const allowed = kind === "message" ? 2 : 1;
      return count > allowed ? [`${count} colons`] : [];
    },
  },
];

/** The violations in a file, by its name and text. */
export function check(file: string, source: string): Finding[] {
  return sentencesOf(file, source).flatMap((sentence) =>
    RULES.flatMap(({ name, advice, find }) =>
      find(sentence).map((phrase) => ({
        line: sentence.line,
        rule: name,
        phrase,
        advice,
        sentence: sentence.text,
      }))
    )
  );
}

function wordsOf(text: string): string[] {
  return text.match(/[\w`'’.,/+-]*\w[\w`'’-]*/g) ?? [];
}

/** The pages and programs of a tree, by their paths in it. */
async function* filesIn(root: URL, under = ""): AsyncGenerator<string> {
  for await (
    const { name, isDirectory } of Deno.readDir(new URL(under, root))
  ) {
    const path = under + name;
    if (/^\.|^node_modules$/.test(name) || SKIPPED.includes(path)) continue;
    if (isDirectory) {
      if (!SKIPPED.includes(`${path}/`)) yield* filesIn(root, `${path}/`);
    } else if (/\.(?:ts|md)$/.test(name)) yield path;
  }
}

/** Prints the violations, and returns how many there are. */
async function report(root: URL, files: string[]): Promise<number> {
  let count = 0;
  for (const file of files) {
    const source = await Deno.readTextFile(new URL(file, root));
    for (const { line, phrase, advice, sentence } of check(file, source)) {
      const found = phrase.replace(/\s+/g, " ");
      console.log(`${file}:${line}: "${found}". ${advice}`);
      console.log(`    ${sentence.replace(/\s+/g, " ")}`);
      count++;
    }
  }
  return count;
}

/** Prints how often each rule is violated, by folder. */
async function measure(root: URL, files: string[]): Promise<void> {
  const parts = Map.groupBy(files, (file) => file.split("/")[0]!);
  const rows: Record<string, Record<string, number>> = {};
  for (const [part, members] of [...parts, ["all", files] as const]) {
    const sources = await Promise.all(
      members.map((file) => Deno.readTextFile(new URL(file, root))),
    );
    rows[part] = measures(members, sources);
  }
  console.table(rows);
}

function measures(files: string[], sources: string[]): Record<string, number> {
  const all = files.flatMap((file, at) => sentencesOf(file, sources[at]!));
  const found = files.flatMap((file, at) => check(file, sources[at]!));
  const words = all.reduce((sum, { text }) => sum + wordsOf(text).length, 0);
  const count = (rule: Finding["rule"]): number =>
    found.filter((finding) => finding.rule === rule).length;
  const rate = (count: number, of: number): number =>
    Math.round(10_000 * count / Math.max(1, of)) / 10;
  const questions = /^["(]?(?:what(?:ever)?|who(?:ever|m)?)\b/i;
  return {
    sentences: all.length,
    "words each": Math.round(10 * words / Math.max(1, all.length)) / 10,
    "starts with what or who": all.filter(({ text }) => questions.test(text))
      .length,
    "persons in 1,000 sentences": rate(count("person"), all.length),
    "headless what in 1,000 words": rate(count("what"), words),
    "other words in 1,000 sentences": rate(
      count("word") + count("default"),
      all.length,
    ),
    "too long": count("long"),
  };
}

async function main(args: string[]): Promise<void> {
  const named = args.filter((arg) => !arg.startsWith("--"));
  const at = args.find((arg) => arg.startsWith("--root="))?.slice(7) ?? ".";
  const root = new URL(`${at}/`, `file://${Deno.cwd()}/`);
  const files = named.length > 0 ? named : await Array.fromAsync(filesIn(root));
  files.sort();
  if (args.includes("--measure")) return await measure(root, files);
  const count = await report(root, files);
  if (count === 0) return;
  console.log(
    `${count} violations. CONTRIBUTING.md, "Language", has the rules`,
  );
  Deno.exit(1);
}

if (import.meta.main) await main(Deno.args);
