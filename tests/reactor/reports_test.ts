/**
 * The default `onError`, and the limit of repeated reports.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { close, write } from "../../backends/ffi/mod.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import { EVENT_READ } from "../../backends/selector.ts";
import { Reactor } from "../../reactor/mod.ts";
import { ReportLimit } from "../../reactor/reports.ts";
import { test } from "../util.ts";

/** Collects the lines of `console.error` during a call. */
function printed(body: () => void): string[] {
  const original = console.error;
  const lines: string[] = [];
  console.error = (value: unknown): void => void lines.push(String(value));
  try {
    body();
  } finally {
    console.error = original;
  }
  return lines;
}

test("onError: the default prints one error of a failing callback, and its end", () => {
  const [reader, writer] = wakePair();
  write(writer, new Uint8Array(1));
  const lines = printed(() => {
    using reactor = new Reactor();
    reactor.register(reader, EVENT_READ, () => {
      throw new Error("no such record");
    });
    reactor.run();
  });
  close(reader);
  close(writer);
  // A slow machine may take more than a second for all hundred of them.
  assertEquals(lines[0], "Error: no such record");
  assertMatch(lines.at(-1)!, /Callback was unregistered: it has thrown 100/);
  assertEquals(lines.length < 10, true, lines.join("\n"));
});

test("onError: the default prints errors of different callbacks", () => {
  const lines = printed(() => {
    using reactor = new Reactor();
    reactor.callSoon(() => {
      throw new Error("first");
    });
    reactor.callSoon(() => {
      throw new Error("second");
    });
    reactor.runOnce();
  });
  assertEquals(lines, ["Error: first", "Error: second"]);
});

test("ReportLimit: one report a second of each kind, which counts those refused before", () => {
  const limit = new ReportLimit();
  const admitted = (kind: string, time: number): number | null =>
    limit.admits(kind, time) ? limit.refused : null;
  assertEquals(admitted("one", 0), 0);
  assertEquals(admitted("one", 999), null);
  assertEquals(admitted("other", 999), 0);
  assertEquals(admitted("one", 999), null);
  assertEquals(admitted("one", 1000), 2);
  assertEquals(admitted("one", 2000), 0);
});
