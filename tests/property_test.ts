/**
 * Random sequences of calls to a selector, compared with a model that is simple
 * enough to be right. `POLLUX_SEED` repeats a failure.
 */

import { assert, assertEquals } from "@std/assert";
import { EVENT_READ, EVENT_WRITE, type Selector } from "../backends/mod.ts";
import { type Socket, socketPair } from "../backends/ffi/mod.ts";
import { type Backend, backends } from "./backends.ts";
import {
  drainSocket,
  fillSocket,
  type Random,
  test,
  withSeed,
} from "./util.ts";

const INTERESTS = [EVENT_READ, EVENT_WRITE, EVENT_READ | EVENT_WRITE];
const PAIRS = 8;
const STEPS = 1500;

/** A socket, registered or not, and its peer. */
class Watched {
  ours: Socket;
  peer: Socket;
  /** Its registered events; 0 if it is not registered. */
  interest = 0;
  /** Registered as data, so that an event of an earlier socket shows. */
  life: string;

  constructor(readonly index: number, readonly generation: number) {
    [this.ours, this.peer] = socketPair();
    this.life = `${index}.${generation}`;
  }

  /** Its ready events: a closed peer counts as both. */
  waiting = 0;
  full = false;
  hungUp = false;

  get ready(): number {
    const readable = this.waiting > 0 || this.hungUp ? EVENT_READ : 0;
    const writable = !this.full || this.hungUp ? EVENT_WRITE : 0;
    return (readable | writable) & this.interest;
  }
}

/** The model, and the selector that must agree with it. */
class Trial {
  readonly #random: Random;
  readonly #selector: Selector<string>;
  readonly #sockets: Watched[];
  #generation = 0;
  readonly #log: string[] = [];

  constructor(selector: Selector<string>, random: Random) {
    this.#selector = selector;
    this.#random = random;
    this.#sockets = Array.from(
      { length: PAIRS },
      (_, index) => this.#fresh(index),
    );
  }

  run(): void {
    try {
      for (let step = 0; step < STEPS; step++) {
        this.#act(this.#random.pick(this.#sockets));
        if (this.#random.below(3) === 0) this.#compare();
      }
    } catch (error) {
      throw new Error(`After ${this.#log.slice(-12).join(", ")}`, {
        cause: error,
      });
    } finally {
      for (const { ours, peer } of this.#sockets) {
        ours.close();
        peer.close();
      }
    }
  }

  #fresh(index: number): Watched {
    return new Watched(index, this.#generation++);
  }

  #act(socket: Watched): void {
    const actions = [
      "toggle",
      "modify",
      "write",
      "read",
      "fill",
      "drain",
      "hang up",
      "reuse",
      "reuse unannounced",
    ] as const;
    const action = this.#random.pick(actions);
    this.#log.push(`${action} ${socket.life}`);
    switch (action) {
      case "toggle":
        return this.#toggle(socket);
      case "modify":
        return this.#modify(socket);
      case "write":
        if (!socket.hungUp) {
          socket.waiting += Math.max(socket.peer.send(new Uint8Array(10)), 0);
        }
        return;
      case "read":
        socket.waiting -= socket.waiting > 0 ? drainSocket(socket.ours) : 0;
        return;
      case "fill":
        if (socket.hungUp) return;
        fillSocket(socket.ours);
        socket.full = true;
        return;
      case "drain":
        if (socket.hungUp) return;
        drainSocket(socket.peer);
        socket.full = false;
        return;
      case "hang up":
        if (socket.hungUp) return;
        // Unread data would turn the close into a reset.
        drainSocket(socket.peer);
        socket.peer.close();
        socket.hungUp = true;
        return;
      case "reuse":
        return this.#reuse(socket, true);
      case "reuse unannounced":
        return this.#reuse(socket, false);
    }
  }

  #toggle(socket: Watched): void {
    if (socket.interest !== 0) {
      assertEquals(this.#selector.unregister(socket.ours).data, socket.life);
      socket.interest = 0;
    } else {
      socket.interest = this.#random.pick(INTERESTS);
      this.#selector.register(socket.ours, socket.interest, socket.life);
    }
  }

  #modify(socket: Watched): void {
    if (socket.interest === 0) return;
    socket.interest = this.#random.pick(INTERESTS);
    this.#selector.modify(socket.ours, socket.interest, socket.life);
  }

  /** Closes a socket, whose number, the lowest free one, goes to the next. */
  #reuse(socket: Watched, announced: boolean): void {
    const { ours, peer, interest, index } = socket;
    if (interest !== 0 && announced) this.#selector.unregister(ours);
    ours.close();
    peer.close();
    if (interest !== 0 && !announced) this.#selector.unregister(ours);
    const next = this.#fresh(index);
    this.#sockets[index] = next;
    if (interest === 0) return;
    next.interest = interest;
    this.#selector.register(next.ours, interest, next.life);
  }

  #compare(): void {
    this.#log.push("compare");
    const expected = this.#sockets
      .filter(({ ready }) => ready !== 0)
      .map(({ life, ready }): [string, number] => [life, ready]);
    const found = new Map(
      this.#selector.select(0).map(([{ data }, events]) => [data, events]),
    );
    assertEquals([...found].sort(), expected.sort());
    const registered = this.#sockets.filter(({ interest }) => interest !== 0);
    assertEquals(
      [...this.#selector.getMap().values()].map(({ data }) => data).sort(),
      registered.map(({ life }) => life).sort(),
    );
  }
}

function tryOut(backend: Backend): void {
  withSeed((random) => {
    using selector = backend.make<string>();
    new Trial(selector, random).run();
    assert(selector.getMap().size <= PAIRS);
  })();
}

for (const backend of backends) {
  const reason = backend.absent && ` (ignored: ${backend.absent})`;
  test(
    `${backend.name}: any sequence of registrations, traffic and reuse agrees with the model${
      reason ?? ""
    }`,
    () => tryOut(backend),
    { ignore: reason !== undefined },
  );
}
