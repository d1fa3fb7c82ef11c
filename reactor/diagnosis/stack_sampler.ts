/**
 * The stack of a callback that has already returned: V8's profiler takes samples while
 * it runs, and the samples of its time show its calls.
 *
 * @module
 */

import type { Session } from "node:inspector";
import { now } from "../clock.ts";

/** Most milliseconds between two samples. */
const LONGEST_INTERVAL = 10;

/** Samples that a stall of the threshold gets. */
const SAMPLES = 10;

/** Milliseconds after which a profile begins anew, so that it stays small. */
const RENEWAL = 60_000;

/** A call in a profile of V8: `Profiler.ProfileNode` of the DevTools protocol. */
interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children?: readonly number[];
}

/** A profile of V8. Its times are in microseconds. */
export interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly endTime: number;
  readonly startTime: number;
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

/** Samples the stacks of this thread until it is closed. */
export class StackSampler {
  readonly #session: Session;
  #started = 0;

  private constructor(session: Session, interval: number) {
    this.#session = session;
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval });
    this.#start();
  }

  /** Loads `node:inspector`, and begins to sample often enough for a threshold. */
  static async begin(threshold: number): Promise<StackSampler> {
    const { Session } = await import("node:inspector");
    const milliseconds = Math.min(threshold / SAMPLES, LONGEST_INTERVAL);
    return new StackSampler(new Session(), Math.ceil(milliseconds * 1000));
  }

  /**
   * Calls back with the stack of the last milliseconds, in a later turn of Deno's loop;
   * with null if they have no sample.
   */
  take(
    milliseconds: number,
    callback: (stack: readonly string[] | null) => void,
  ): void {
    this.#stop((profile) => {
      callback(profile === null ? null : stackOf(profile, milliseconds));
    });
    this.#start();
  }

  /** Begins a new profile from time to time. */
  renew(time: number): void {
    if (time - this.#started < RENEWAL) return;
    this.#stop(() => {});
    this.#start();
  }

  /** Ends the profiler. */
  close(): void {
    this.#session.post("Profiler.disable");
    this.#session.disconnect();
  }

  #start(): void {
    this.#started = now();
    this.#session.post("Profiler.start");
  }

  #stop(callback: (profile: Profile | null) => void): void {
    this.#session.post("Profiler.stop", (error, result) => {
      const { profile } = (result ?? {}) as { profile?: Profile };
      callback(error === null ? profile ?? null : null);
    });
  }
}

/** Returns the most frequent stack of the last milliseconds of a profile. */
export function stackOf(
  profile: Profile,
  milliseconds: number,
): readonly string[] | null {
  const { nodes, samples = [], timeDeltas = [] } = profile;
  const begin = profile.endTime - milliseconds * 1000;
  const counts = new Map<number, number>();
  let time = profile.startTime;
  let most: number | null = null;
  samples.forEach((id, index) => {
    time += timeDeltas[index] ?? 0;
    if (time < begin) return;
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    if (count > (counts.get(most ?? -1) ?? 0)) most = id;
  });
  return most === null ? null : pathTo(most, nodes);
}

/** The frames from a node to the root, except those of V8 itself. */
function pathTo(id: number, nodes: readonly ProfileNode[]): string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(
    nodes.flatMap((node) =>
      (node.children ?? []).map((child) => [child, node.id] as const)
    ),
  );
  const frames: string[] = [];
  for (let at: number | undefined = id; at !== undefined;) {
    const { callFrame } = byId.get(at)!;
    if (callFrame.url !== "") frames.push(frameText(callFrame));
    at = parents.get(at);
  }
  return frames;
}

/** Sources that Deno compiles: the lines of a profile are not those of their text. */
const COMPILED = /\.(?:[mc]?ts|tsx|jsx)$/;

/** Names a call and its file, and of JavaScript the line of the function. */
function frameText(frame: ProfileNode["callFrame"]): string {
  const { functionName, url, lineNumber, columnNumber } = frame;
  const place = COMPILED.test(url)
    ? url
    : `${url}:${lineNumber + 1}:${columnNumber + 1}`;
  return `${functionName || "(anonymous)"} (${place})`;
}
