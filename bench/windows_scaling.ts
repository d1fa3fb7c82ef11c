/**
 * Draws the cost of a wake-up on Windows, by the number of watched sockets, into
 * `docs/img/wake_up_on_windows.svg`. Without Windows, the Deno of Windows runs under Wine:
 * then only the ratios and the slopes say something.
 *
 *     deno task bench:windows
 *
 * @module
 */

import { draw, type Point } from "./chart.ts";

const ROUNDS = 3;
const FILE = new URL("../docs/img/wake_up_on_windows.svg", import.meta.url);

async function measure(): Promise<Point[]> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "tests/windows/run.ts", "--deno"],
      ...["run", "-A", "--no-check", "--no-lock"],
      ...["bench/scaling.ts", "--points"],
    ],
    cwd: new URL("..", import.meta.url),
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("bench/scaling.ts has failed");
  return JSON.parse(new TextDecoder().decode(stdout).trim());
}

/** The least of each point: other programs only add to it. */
function least(rounds: readonly Point[][]): Point[] {
  return rounds[0]!.map((point, index) => ({
    ...point,
    y: Math.min(...rounds.map((round) => round[index]!.y)),
  }));
}

const rounds: Point[][] = [];
for (let round = 0; round < ROUNDS; round++) rounds.push(await measure());
const points = least(rounds);
console.table(points);
const native = Deno.build.os === "windows";
const svg = await draw({
  title: "A wake-up by one socket on Windows, by the number of watched ones",
  subtitle: native ? "Windows" : "Under Wine: ratios only",
  xTitle: "sockets watched",
  yTitle: "µs for a wake-up",
  yScale: "log",
  points,
});
await Deno.writeTextFile(FILE, `${svg}\n`);
