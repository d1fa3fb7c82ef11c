/** Writes and options that a stream of Node refuses. */

import { assertInstanceOf, assertThrows } from "@std/assert";
import { ConnectionDuplex } from "../../../adapters/node/mod.ts";
import { socketPair } from "../../../backends/ffi/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { test } from "../../util.ts";

test("ConnectionDuplex: a write that maximumQueued refuses fails, also with an empty queue", async () => {
  await using reactor = new Reactor({ maximumQueued: 1 });
  reactor.serve();
  const [first, firstPeer] = socketPair();
  const [second, secondPeer] = socketPair();
  reactor.adopt(first).write(new Uint8Array(4_000_000));
  const duplex = new ConnectionDuplex(reactor.adopt(second));
  const emitted = Promise.withResolvers<Error>();
  duplex.on("error", emitted.resolve);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  duplex.write(new Uint8Array(4_000_000), resolve);
  assertInstanceOf(await promise, RangeError);
  assertInstanceOf(await emitted.promise, RangeError);
  firstPeer.close();
  secondPeer.close();
});

test("ConnectionDuplex: an unknown option is a TypeError, and leaves the connection alone", () => {
  using reactor = new Reactor();
  const [socket, peer] = socketPair();
  const connection = reactor.adopt(socket);
  const options = { highWaterMark: 1 } as object;
  assertThrows(
    () => new ConnectionDuplex(connection, options),
    TypeError,
    'Unknown option "highWaterMark"',
  );
  connection.write("x");
  peer.close();
});
