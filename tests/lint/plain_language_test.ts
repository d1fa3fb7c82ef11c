/**
 * The language rules find what they forbid, where it stands, and nothing else.
 */

import { assertEquals } from "@std/assert";
import { check } from "./plain_language.ts";
import { sentencesOf } from "./prose.ts";

/** The phrases that are reported, with their lines. */
function found(source: string, file = "x.ts"): string[] {
  return check(file, source).map(({ line, phrase }) => `${line} ${phrase}`);
}

const LONG = "word ".repeat(26);

Deno.test("plain_language: persons, headless what and the listed words are found", () => {
  for (
    const [comment, phrase] of [
      ["Nobody reads it.", "Nobody"],
      ["Whoever asks waits.", "Whoever"],
      ["Everybody's queue grows.", "Everybody's"],
      ["Sends what is queued.", "what is"],
      ["What is queued is sent.", "What is"],
      ["The timeout: never, if left out.", "if left out"],
      ["The callback is told.", "told"],
      ["Registers for news alone.", "news"],
      ["Queued until it stands.", "stands"],
      ["Besides, it closes.", "Besides"],
      ["Nothing but for this.", "but for"],
    ] as const
  ) assertEquals(found(`// ${comment}`), [`1 ${phrase}`], comment);
});

Deno.test("plain_language: indirect questions, and plain uses of the words, are accepted", () => {
  for (
    const comment of [
      "Says what the callback threw.",
      "Depends on what happens next.",
      "What does the kernel report?",
      "They cannot be told apart.",
      "The number stands for a descriptor.",
      "A stand-in for the library.",
      "The last one, whose number is reused.",
      "Calls `tell()`, `who` and {@link nobody}.",
    ]
  ) assertEquals(found(`// ${comment}`), [], comment);
});

Deno.test("plain_language: long sentences, and several colons in one, are found", () => {
  assertEquals(found(`// ${LONG}.`), ["1 26 words"]);
  assertEquals(found(`// One: two: three.`), ["1 2 colons"]);
  assertEquals(found(`// One: "two: three: four".`), []);
  assertEquals(found(`// One: two. Three: four, at 12:30 of node:fs.`), []);
});

Deno.test("plain_language: a finding has the line in which its sentence begins", () => {
  assertEquals(found("/**\n * It waits.\n * Nobody\n * reads.\n */"), [
    "3 Nobody",
  ]);
  assertEquals(found("Text.\n\n| a | told |\n", "x.md"), ["3 told"]);
  assertEquals(found("let x;\n// One\n// sentence. Then nobody."), [
    "3 nobody",
  ]);
});

Deno.test("plain_language: of strings, messages and test names are checked", () => {
  assertEquals(found(`throw new Error("Nobody has asked");`), [
    "1 Nobody",
  ]);
  assertEquals(found("fail(`Cannot tell ${ask(`nobody`)} what it is`);"), [
    "1 tell",
    "1 what it",
  ]);
  assertEquals(found(`const who = map.get("who") ?? /told "nobody/;`), []);
});

Deno.test("plain_language: code and quotations are passed over", () => {
  const page = [
    "```sh",
    "who am i # told",
    "```",
    "> Nobody said so.",
    "<!-- told -->",
    "[a link](docs/who_is_told.md)",
  ].join("\n");
  assertEquals(found(page, "x.md"), []);
  assertEquals(
    found("/**\n * ```ts\n * told(who);\n * ```\n * @param who as told\n */"),
    ["5 told"],
  );
});

Deno.test("plain_language: items, cells and headings are sentences of their own", () => {
  const texts = sentencesOf(
    "x.md",
    "# One\n\n- two\n- three. Four `a|b`\n\n| five | six |\n",
  ).map(({ text }) => text);
  assertEquals(texts, ["One", "two", "three.", "Four `X`", "five", "six"]);
});
