/**
 * Linux AIO: polls whose ends an eventfd counts.
 */

import { assert, assertEquals } from "@std/assert";
import { AioPolls } from "../../../backends/ffi/aio.ts";
import { EventFd } from "../../../backends/ffi/calls.ts";
import { close, pipe, read, write } from "../../../backends/ffi/mod.ts";
import { eventually, test } from "../../util.ts";

/** More than one context has room for. */
const MANY = 1000;

const polls = AioPolls.create();
const needed = { ignore: polls === null, reason: "only Linux has AIO polls" };

/** A poll of a new pipe. */
class Scene implements Disposable {
  readonly counter = new EventFd();
  readonly #pipe = pipe();

  begin(): number {
    return polls!.begin(this.#pipe[0], this.counter.fd);
  }

  fill(): void {
    write(this.#pipe[1], new Uint8Array(1));
  }

  drain(): void {
    read(this.#pipe[0], new Uint8Array(16));
  }

  [Symbol.dispose](): void {
    this.#pipe.forEach(close);
    this.counter.close();
  }
}

function takeEnded(): number[] {
  const ended: number[] = [];
  polls!.takeEnded((poll) => ended.push(poll));
  return ended;
}

test(
  "AioPolls: a poll ends when its descriptor is readable, and is counted",
  () => {
    using scene = new Scene();
    const poll = scene.begin();
    assertEquals([scene.counter.read(), takeEnded()], [null, []]);
    scene.fill();
    assertEquals([scene.counter.read(), takeEnded()], [1n, [poll]]);
    assertEquals(polls!.underWay, 0);
  },
  needed,
);

test("AioPolls: a poll of a readable descriptor ends at once", () => {
  using scene = new Scene();
  scene.fill();
  const poll = scene.begin();
  assertEquals([scene.counter.read(), takeEnded()], [1n, [poll]]);
}, needed);

test(
  "AioPolls.cancel(): the poll ends, and its descriptor may be polled anew",
  async () => {
    using scene = new Scene();
    const first = scene.begin();
    polls!.cancel(first);
    const ended: number[] = [];
    await eventually(() => {
      ended.push(...takeEnded());
      return ended.length > 0;
    }, "the end of a cancelled poll");
    assertEquals(ended, [first]);
    const second = scene.begin();
    scene.fill();
    assertEquals(takeEnded(), [second]);
  },
  needed,
);

test(
  "AioPolls.begin(): beyond its room it refuses, and goes on when ends are taken",
  () => {
    using scene = new Scene();
    let begun = 0;
    while (begun < MANY && scene.begin() >= 0) begun++;
    assert(begun > 0 && begun < MANY);
    assertEquals(polls!.underWay, begun);
    scene.fill();
    assertEquals(takeEnded().length, begun);
    assert(scene.begin() >= 0);
    assertEquals(takeEnded().length, 1);
  },
  needed,
);

test("AioPolls.begin(): it refuses a descriptor that is not open", () => {
  using counter = new EventFd();
  const [reader, writer] = pipe();
  close(reader);
  close(writer);
  assertEquals(polls!.begin(reader, counter.fd), -1);
  assertEquals(polls!.underWay, 0);
}, needed);
