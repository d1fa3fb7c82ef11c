/**
 * The choice of a selector, for every system.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { availableSelectors } from "../../backends/selectors.ts";
import { darwin } from "../../backends/ffi/systems/darwin.ts";
import { freebsd } from "../../backends/ffi/systems/freebsd.ts";
import { illumos } from "../../backends/ffi/systems/illumos.ts";
import { linux } from "../../backends/ffi/systems/linux.ts";
import { netbsd } from "../../backends/ffi/systems/netbsd.ts";
import {
  createSelector,
  DefaultSelector,
  EpollSelector,
  PollSelector,
  SELECTOR_NAMES,
  type SelectorName,
  SelectSelector,
} from "../../backends/mod.ts";
import { close, dup, pipe } from "../../backends/ffi/mod.ts";
import { ONLY_LINUX, test } from "../util.ts";

const choices = [
  { system: linux("x86_64"), names: ["epoll", "poll", "select"] },
  { system: linux("aarch64"), names: ["epoll", "poll", "select"] },
  { system: darwin("aarch64"), names: ["kqueue", "poll", "select"] },
  { system: freebsd("x86_64"), names: ["kqueue", "poll", "select"] },
  { system: netbsd("x86_64"), names: ["kqueue", "poll", "select"] },
  { system: illumos("x86_64"), names: ["devpoll", "poll", "select"] },
];

for (const { system, names } of choices) {
  Deno.test(`createSelector(): ${system.name} has ${names.join(", ")}, in that order`, () => {
    assertEquals<string[]>(availableSelectors(system), names);
  });
}

Deno.test("SELECTOR_NAMES: those come first whose interest the system keeps", () => {
  assertEquals<string[]>(
    [...SELECTOR_NAMES],
    ["epoll", "kqueue", "devpoll", "afd", "poll", "select"],
  );
});

test("createSelector(): makes the selector of that name", () => {
  using poll = createSelector("poll");
  using select = createSelector("select");
  assertInstanceOf(poll, PollSelector);
  assertInstanceOf(select, SelectSelector);
});

test("createSelector(): an unknown name is a TypeError, a missing call NotSupported", () => {
  assertThrows(
    () => createSelector("io_uring" as SelectorName),
    TypeError,
    "io_uring",
  );
  if (Deno.build.os !== "linux") return;
  for (const name of ["kqueue", "devpoll", "afd"] as const) {
    assertThrows(() => createSelector(name), Deno.errors.NotSupported, "Linux");
  }
});

test("DefaultSelector: is the best selector of this system, as is createSelector()", () => {
  using selector = new DefaultSelector();
  using created = createSelector();
  assertEquals(created.constructor, selector.constructor);
  if (Deno.build.os === "linux") assertInstanceOf(selector, EpollSelector);
  assert(selector.getMap().size === 0);
});

test(
  "DefaultSelector: without a free descriptor it fails, rather than fall back to poll",
  () => {
    const taken: number[] = [...pipe()];
    try {
      for (;;) taken.push(dup(taken[0]!));
    } catch (error) {
      assertEquals((error as { code: string }).code, "EMFILE");
    }
    try {
      const error = assertThrows(() => new DefaultSelector());
      assertEquals((error as { code?: string }).code, "EMFILE");
    } finally {
      for (const fd of taken) close(fd);
    }
  },
  ONLY_LINUX,
);
