/** The types of file objects: checked by the compiler, and true at run time. */

import { assertEquals } from "@std/assert";
import {
  createSelector,
  DefaultSelector,
  EVENT_READ,
  EVENT_WRITE,
  PollSelector,
  Reactor,
  type Selector,
  SelectSelector,
  type Socket,
} from "../../mod.ts";
import { pairOf, test } from "../util.ts";

type Callback = (sock: Socket, mask: number) => void;

const MAKERS: Readonly<Record<string, () => Selector<Callback, Socket>>> = {
  DefaultSelector: () => new DefaultSelector<Callback, Socket>(),
  PollSelector: () => new PollSelector<Callback, Socket>(),
  SelectSelector: () => new SelectSelector<Callback, Socket>(),
  "createSelector()": () => createSelector<Callback, Socket>("poll"),
};

for (const [name, make] of Object.entries(MAKERS)) {
  test(`${name}: a key has the file object's own type`, () => {
    using pair = pairOf();
    using selector = make();
    const called: [number, number][] = [];
    selector.register(pair.right, EVENT_WRITE, (sock, mask) => {
      called.push([sock.send(new Uint8Array(3)), mask]);
    });
    for (const [key, mask] of selector.select()) {
      const callback = key.data;
      callback(key.fileobj, mask);
    }
    assertEquals(called, [[3, EVENT_WRITE]]);
    const found: Socket | undefined = selector.getMap().get(pair.right.fd)
      ?.fileobj;
    assertEquals(found, pair.right);
    const removed: Socket = selector.unregister(pair.right.fd).fileobj;
    assertEquals(removed, pair.right);
  });
}

test("Selector: refuses a file object of another type at compile time", () => {
  using pair = pairOf();
  using selector = new DefaultSelector<null, Socket>();
  // @ts-expect-error: a number is no socket
  selector.register(pair.right.fd, EVENT_READ, null);
  selector.unregister(pair.right.fd);
});

test("Selector: takes any file object by default", () => {
  using pair = pairOf();
  using selector: Selector<string> = new DefaultSelector<string>();
  selector.register(pair.left, EVENT_READ, "a socket");
  selector.register(pair.right.fd, EVENT_READ, "a number");
  assertEquals([...selector.getMap().values()].map(({ data }) => data), [
    "a socket",
    "a number",
  ]);
});

test("Reactor: a callback is called with the file object in its own type", () => {
  using pair = pairOf();
  using reactor = new Reactor();
  const buffer = new Uint8Array(16);
  const received: number[] = [];
  reactor.register(pair.right, EVENT_READ, (sock, mask) => {
    assertEquals(mask, EVENT_READ);
    received.push(sock.recv(buffer));
    reactor.modify(sock, EVENT_WRITE, (same) => {
      received.push(same.send(buffer, 2));
      const key = reactor.unregister(same);
      assertEquals(key.fileobj, pair.right);
    });
  });
  pair.left.send(new Uint8Array(5));
  reactor.run();
  assertEquals(received, [5, 2]);
});
