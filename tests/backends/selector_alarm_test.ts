/**
 * The descriptor that rings when a selector is ready.
 */

import { assert, assertEquals } from "@std/assert";
import { close, dup, pipe, read, write } from "../../backends/ffi/mod.ts";
import {
  EpollSelector,
  EVENT_READ,
  type LoopSelector,
  PollSelector,
} from "../../backends/mod.ts";
import { SelectorAlarm, type Waiting } from "../../backends/selector_alarm.ts";
import { eventually, test } from "../util.ts";

function createAlarm(): SelectorAlarm<Waiting> | null {
  return SelectorAlarm.create<Waiting>();
}

const needed = { ignore: !hasAlarms(), reason: "only Linux has AIO polls" };

function hasAlarms(): boolean {
  const alarm = createAlarm();
  if (alarm !== null) close(alarm.fd);
  return alarm !== null;
}

/** A selector that waits for a pipe. */
class Scene implements Waiting, Disposable {
  readonly alarm = createAlarm()!;
  readonly selector: LoopSelector<string>;
  readonly #pipe = pipe();

  constructor(selector: LoopSelector<string> = new EpollSelector<string>()) {
    this.selector = selector;
    selector.register(this.#pipe[0], EVENT_READ, "");
  }

  fill(): void {
    write(this.#pipe[1], new Uint8Array(1));
  }

  drain(): void {
    read(this.#pipe[0], new Uint8Array(16));
  }

  /** How often the alarm has rung for this selector since the last call. */
  rung(): number {
    let count = 0;
    this.alarm.takeRung((waiting) => {
      assertEquals(waiting, this);
      count++;
    });
    return count;
  }

  /** Whether the descriptor has rung since the last call. */
  rang(): boolean {
    return read(this.alarm.fd, new Uint8Array(new ArrayBuffer(8))) > 0;
  }

  [Symbol.dispose](): void {
    this.alarm.close();
    close(this.alarm.fd);
    this.selector.close();
    this.#pipe.forEach(close);
  }
}

/** Makes a new instance of epoll take the place of the old one. */
function renew(selector: EpollSelector<string>): void {
  const [reader, writer] = pipe();
  selector.register(reader, EVENT_READ, "");
  // The duplicate keeps an event that cannot be unregistered.
  const kept = dup(reader);
  close(reader);
  write(writer, new Uint8Array(1));
  selector.unregister(reader);
  for (let turn = 0; selector.renewals === 0 && turn < 10; turn++) {
    selector.wait(0);
  }
  assertEquals(selector.renewals, 1);
  close(kept);
  close(writer);
}

test("SelectorAlarm: it rings once when an armed selector is ready", () => {
  using scene = new Scene();
  assert(scene.alarm.arm(scene));
  assertEquals([scene.rang(), scene.rung()], [false, 0]);
  scene.fill();
  assertEquals([scene.rang(), scene.rung()], [true, 1]);
  scene.drain();
  scene.fill();
  assertEquals([scene.rang(), scene.rung()], [false, 0]);
}, needed);

test(
  "SelectorAlarm.arm(): it rings at once for a selector that is ready",
  () => {
    using scene = new Scene();
    scene.fill();
    assert(scene.alarm.arm(scene));
    assertEquals([scene.rang(), scene.rung()], [true, 1]);
  },
  needed,
);

test(
  "SelectorAlarm.arm(): a second call before it rings changes nothing",
  () => {
    using scene = new Scene();
    for (let call = 0; call < 1000; call++) assert(scene.alarm.arm(scene));
    scene.fill();
    assertEquals(scene.rung(), 1);
  },
  needed,
);

test(
  "SelectorAlarm.arm(): it returns false for a selector without a descriptor",
  () => {
    using scene = new Scene(new PollSelector<string>());
    assertEquals(scene.alarm.arm(scene), false);
  },
  needed,
);

test(
  "SelectorAlarm.arm(): it notices an epoll instance that was renewed",
  () => {
    const selector = new EpollSelector<string>();
    using scene = new Scene(selector);
    assert(scene.alarm.arm(scene));
    renew(selector);
    scene.rung();
    assert(scene.alarm.arm(scene));
    scene.fill();
    assertEquals(scene.rung(), 1);
  },
  needed,
);

test(
  "SelectorAlarm.disarm(): it does not ring for the selector, however often",
  async () => {
    using scene = new Scene();
    for (let call = 0; call < 200; call++) {
      // The end of a cancelled poll comes from another thread.
      await eventually(() => {
        assertEquals(scene.rung(), 0);
        return scene.alarm.arm(scene);
      }, "room for a poll");
      scene.alarm.disarm(scene);
    }
    scene.fill();
    assertEquals(scene.rung(), 0);
  },
  needed,
);

test("SelectorAlarm.signal(): the descriptor is readable", () => {
  using scene = new Scene();
  scene.alarm.signal();
  assertEquals([scene.rang(), scene.rung()], [true, 0]);
}, needed);
