/**
 * dnsperf of DNS-OARC, the load.
 *
 * @module
 */

import { LOAD_CORE } from "../server.ts";

/** The measurements of one run. */
export interface Run {
  /** Answered queries, and those without an answer. */
  readonly answered: number;
  readonly lost: number;
  /** Answered queries a second. */
  readonly rate: number;
  /** The mean latency, in microseconds. */
  readonly latency: number;
  /** The response codes, with their shares, such as "NOERROR 80 %, NXDOMAIN 20 %". */
  readonly codes: string;
}

/** How many clients ask, and how many questions are open. */
const CLIENTS = 10;
const OPEN = 100;

/** Names and types: a fifth of the names does not exist. */
const QUESTIONS = [
  "example.org A",
  "example.org AAAA",
  "example.org MX",
  "example.org TXT",
  "www.example.org A",
  "mail.example.org A",
  "mail.example.org AAAA",
  "ns1.example.org A",
  "missing.example.org A",
  "a.longer.missing.name.example.org AAAA",
];

/** Writes the questions into a file. */
export async function writeQuestions(file: string): Promise<void> {
  await Deno.writeTextFile(file, QUESTIONS.join("\n") + "\n");
}

/**
 * Asks all questions several times, with EDNS, on the core of loads.
 *
 * @param times How often each question is asked
 * @throws {Error} if dnsperf fails
 */
export async function ask(
  port: number,
  questions: string,
  times: number,
): Promise<Run> {
  const { stdout, stderr } = await new Deno.Command("taskset", {
    args: [
      ...["-c", String(LOAD_CORE), "dnsperf", "-s", "127.0.0.1"],
      ...["-p", String(port), "-d", questions, "-n", String(times), "-e"],
      ...["-c", String(CLIENTS), "-q", String(OPEN), "-t", "1"],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const value = (name: string): string =>
    new RegExp(`^ *${name}: +(.*)$`, "m").exec(text)?.[1] ?? "";
  const number = (name: string): number => parseFloat(value(name));
  const answered = number("Queries completed");
  if (!(answered > 0)) {
    throw new Error(`dnsperf: ${new TextDecoder().decode(stderr) || text}`);
  }
  return {
    answered,
    lost: number("Queries lost"),
    rate: number("Queries per second"),
    latency: number("Average Latency \\(s\\)") * 1e6,
    // Without the counts: on a busy machine some answers are lost.
    codes: value("Response codes").replace(
      /\d+ \(([\d.]+)%\)/g,
      (_, share) => `${Math.round(Number(share))} %`,
    ),
  };
}
