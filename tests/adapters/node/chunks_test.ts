/** The memory of received chunks. */

import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { ConnectionDuplex } from "../../../adapters/node/mod.ts";
import { socketPair } from "../../../backends/ffi/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { bytesOf, test } from "../../util.ts";

for (const reuseBuffer of [false, true]) {
  test(`ConnectionDuplex: no other bytes are in the buffer of a chunk, which may be transferred (reuseBuffer: ${reuseBuffer})`, async () => {
    await using reactor = new Reactor();
    reactor.serve();
    for (const text of ["hello", "world"]) {
      const [socket, peer] = socketPair();
      const connection = reactor.adopt(socket, { reuseBuffer });
      const duplex = new ConnectionDuplex(connection);
      // The first chunk is pushed, a later one is emitted directly.
      for (const part of [`first ${text}`, text]) {
        const received = once(duplex, "data");
        peer.send(bytesOf(part));
        const [{ buffer }] = await received;
        const moved = structuredClone(buffer, { transfer: [buffer] });
        assertEquals(new Uint8Array(moved), bytesOf(part));
      }
      peer.close();
    }
  });
}
