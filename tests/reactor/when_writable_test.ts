/**
 * The callback of `whenWritable()`: called by the loop, once a turn, and guarded.
 */

import { assert, assertEquals } from "@std/assert";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf } from "../util.ts";
import { Log, onEachBackend } from "./stage.ts";

/** Methods that flush the queue. */
const FLUSHES: Record<string, (connection: Connection) => void> = {
  "uncork()": (connection) => connection.uncork(),
  "write() of a list": (connection) => connection.write([bytesOf("x")]),
  "end()": (connection) => connection.end(),
  "close()": (connection) => connection.close(),
};

onEachBackend(
  "whenWritable(): no method calls the callback, the loop calls it once [F15]",
  (stage) => {
    for (const [name, flush] of Object.entries(FLUSHES)) {
      const { connection } = stage.connection();
      let calls = 0;
      connection.whenWritable(() => calls++);
      flush(connection);
      assertEquals(calls, 0, name);
      stage.until(() => calls > 0, name);
      stage.turns();
      assertEquals(calls, 1, name);
    }
  },
);

onEachBackend(
  "whenWritable(): a producer that corks its writes is called once a turn",
  (stage) => {
    const { connection, peer } = stage.connection();
    let calls = 0;
    const produce = (): void => {
      connection.cork();
      connection.write(bytesOf("a"));
      connection.write(bytesOf("b"));
      connection.whenWritable(calls++ < 100 ? produce : null);
      connection.uncork();
    };
    produce();
    assertEquals(calls, 1);
    stage.reactor.runOnce(1000);
    assertEquals(calls, 2);
    stage.until(() => calls === 101, "the other calls");
    assertEquals(peer.read(202).length, 202);
  },
);

onEachBackend(
  "whenWritable(): an error of the callback is reported, and ends its connection",
  (stage) => {
    const { connection } = stage.connection();
    const log = new Log();
    log.watch(connection);
    connection.whenWritable(() => {
      throw new EvalError("enough");
    });
    stage.until(() => log.lines.length > 0, "the end");
    assertEquals(log.lines, ["close enough"]);
    assertEquals(stage.takeErrors(), ["enough"]);
  },
);

onEachBackend(
  "whenWritable(): it may throw without an onClose, and the error is reported",
  (stage) => {
    const { connection } = stage.connection();
    connection.whenWritable(() => {
      throw new EvalError("enough");
    });
    stage.until(() => connection.closed, "the end");
    assertEquals(stage.takeErrors(), ["enough"]);
    assert(connection.error instanceof EvalError);
  },
);

onEachBackend(
  "whenWritable(): behind a corked queue it does not keep the loop busy",
  (stage) => {
    const { connection, peer } = stage.connection();
    let calls = 0;
    connection.cork();
    connection.write(bytesOf("corked"));
    connection.whenWritable(() => calls++);
    stage.turns();
    const { events } = stage.reactor.stats();
    stage.turns();
    assertEquals([calls, stage.reactor.stats().events - events], [0, 0]);
    connection.uncork();
    stage.until(() => calls === 1, "the call");
    assertEquals(peer.readText(6), "corked");
  },
);
