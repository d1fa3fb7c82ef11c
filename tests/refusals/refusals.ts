/**
 * Every call of a loop is refused, with each error that its manual page names as
 * possible while a program runs. Its owner is called with the cause, every other
 * connection is served, and no descriptor is left.
 */

import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { spawn } from "../../adapters/process/mod.ts";
import { system } from "../../backends/ffi/current_system.ts";
import {
  close,
  dup,
  type InternetAddress,
  isSystemError,
  pipe,
  type SystemError,
} from "../../backends/ffi/mod.ts";
import { EVENT_READ, EVENT_WRITE } from "../../backends/mod.ts";
import { type Connection, type Datagram, Reactor } from "../../reactor/mod.ts";
import {
  bytesOf,
  drainSocket,
  eventually,
  fillSocket,
  nextTurn,
  PATIENCE,
} from "../util.ts";
import {
  Log,
  onAnyBackend,
  onEachBackend,
  type Peer,
  type Stage,
  textOf,
} from "../reactor/stage.ts";

const { symbols } = Deno.dlopen(Deno.env.get("POLLUX_REFUSE")!, {
  refuse: {
    parameters: [
      "buffer", // const char *name
      "i32", // int error
      "i32", // int fd
      "i32", // int operation
      "i32", // int skip
      "i32", // int times
    ],
    result: "void",
  },
  refusals: { parameters: [], result: "i32" },
});

/** `<sys/epoll.h>` */
const ADD = 1, DEL = 2, MOD = 3;

/** Selects the calls that are refused. Default: all. */
interface Which {
  readonly fd?: number;
  readonly operation?: number;
  readonly skip?: number;
  readonly times?: number;
}

/** Refuses the next call of a function, or some calls. */
function refuse(name: string, code: string, which: Which = {}): void {
  const { fd = -1, operation = -1, skip = 0, times = 1 } = which;
  const number = system().errno[code];
  assert(number !== undefined, `<errno.h> has no ${code}`);
  symbols.refuse(bytesOf(`${name}\0`), number, fd, operation, skip, times);
}

/** Ends all refusals; how many there were. */
function refusals(): number {
  const count = symbols.refusals();
  symbols.refuse(bytesOf("\0"), 0, -1, -1, 0, 0);
  return count;
}

function causeOf(error: unknown): string {
  return isSystemError(error)
    ? `${error.syscall} ${error.code}`
    : String(error);
}

/** Takes the causes that `onError` was called with since the last call of this. */
function takeCauses(stage: Stage): string[] {
  return stage.errors.splice(0).map(causeOf);
}

/** A connection that echoes, and is not concerned by the refused call. */
class Bystander {
  readonly #peer: Peer;

  constructor(stage: Stage) {
    const { connection, peer } = stage.connection();
    connection.onData = (chunk) => connection.write(chunk);
    this.#peer = peer;
  }

  /** Asserts that it is served. */
  check(): void {
    this.#peer.send("ping");
    assertEquals(this.#peer.readText(4), "ping");
  }
}

/** The cause that the `onClose` of a connection is called with. */
function endOf(stage: Stage, connection: Connection): () => string {
  let cause: string | undefined;
  let calls = 0;
  connection.onClose = (error) => {
    calls++;
    cause = error === undefined ? "none" : causeOf(error);
  };
  return () => {
    stage.until(() => cause !== undefined, "onClose");
    stage.turns(2);
    assertEquals([calls, connection.closed, connection.fd], [1, true, -1]);
    return cause!;
  };
}

/** The call by which each backend waits. */
const WAITS: Record<string, string> = {
  EpollSelector: "epoll_wait",
  PollSelector: "poll",
  SelectSelector: "select",
};

onEachBackend("a wait that is refused is made again", (stage) => {
  const name = WAITS[stage.backend.name];
  if (name === undefined) return;
  const bystander = new Bystander(stage);
  for (const code of ["EINTR", "EAGAIN", "ENOMEM"]) {
    refuse(name, code, { times: 3 });
    bystander.check();
    assertEquals(refusals(), 3);
  }
});

onEachBackend("waits without memory leave the processor alone", (stage) => {
  const name = WAITS[stage.backend.name];
  if (name === undefined) return;
  const { reactor } = stage;
  const bystander = new Bystander(stage);
  reactor.callLater(200, () => reactor.stop());
  refuse(name, "ENOMEM", { times: 1_000_000 });
  reactor.run();
  // One in 10 milliseconds.
  assertLess(refusals(), 60);
  bystander.check();
});

onEachBackend(
  "waits without memory leave it alone during serve(), too",
  async (stage) => {
    const wait = WAITS[stage.backend.name];
    if (wait === undefined) return;
    const { reactor } = stage;
    const [left, right] = stage.pair();
    let heard = 0;
    reactor.register(right, EVENT_READ, () => heard += drainSocket(right));
    const served = reactor.serve();
    for (const name of new Set(["poll", wait])) {
      const before = heard;
      refuse(name, "ENOMEM", { times: 1_000_000 });
      const end = performance.now() + 200;
      while (performance.now() < end) await nextTurn();
      assertLess(refusals(), 400, name);
      left.send(bytesOf("x"));
      await eventually(() => heard > before, `the message after ${name}`);
    }
    reactor.stop();
    await served;
  },
);

for (const code of ["ENOMEM", "ENOSPC"]) {
  onAnyBackend(
    `${code} of EPOLL_CTL_ADD is reported to its owner`,
    (stage) => {
      const { reactor } = stage;
      const bystander = new Bystander(stage);
      const cause = `epoll_ctl ${code}`;
      const add = { operation: ADD };
      const refuseAdd = (which: Which = {}): void =>
        refuse("epoll_ctl", code, { ...add, ...which });

      const { connection } = stage.connection();
      const end = endOf(stage, connection);
      refuseAdd();
      connection.onData = () => {};
      assertEquals([end(), refusals()], [cause, 1]);

      refuseAdd();
      assertEquals(thrown(() => stage.listen(() => {})), cause);
      assertEquals(refusals(), 1);

      refuseAdd();
      const client = reactor.connect({
        port: silentPort(stage),
      });
      assertEquals([endOf(stage, client)(), refusals()], [cause, 1]);

      const [left, right] = stage.pair();
      refuseAdd();
      assertEquals(thrown(() => reactor.addReader(right, () => {})), cause);
      assertEquals(refusals(), 1);
      left.send(bytesOf("x"));
      let read = 0;
      reactor.addReader(right, () => read += drainSocket(right));
      stage.until(() => read === 1, "the reader");
      reactor.removeReader(right);

      reactor.addReader(right, () => read += drainSocket(right));
      // To add a handler registers the other anew: that is made up for.
      refuseAdd();
      assertEquals(thrown(() => reactor.addWriter(right, () => {})), cause);
      assertEquals(refusals(), 1);
      left.send(bytesOf("x"));
      stage.until(() => read === 2, "the reader, which is still there");
      reactor.removeReader(right);

      refuseAdd();
      assertEquals(thrown(() => reactor.wakeFd), cause);
      assertEquals(refusals(), 1);
      reactor.wake();

      bystander.check();
      assertEquals(takeCauses(stage), []);
    },
  );

  onAnyBackend(
    `after ${code} of EPOLL_CTL_ADD a listener and a datagram socket ask again`,
    (stage) => {
      const { reactor } = stage;
      const bystander = new Bystander(stage);
      let accepted = 0;
      const acceptor = stage.listen((connection) => {
        accepted++;
        connection.close();
      });
      acceptor.pause();
      refuse("epoll_ctl", code, { operation: ADD, fd: acceptor.fd, times: 2 });
      acceptor.resume();
      assertEquals(stage.errors, []);
      stage.dial(acceptor.address);
      stage.until(() => accepted === 1, "the connection");
      assertEquals([refusals(), takeCauses(stage)], [2, [`epoll_ctl ${code}`]]);
      acceptor.close();

      const datagram = reactor.datagram({ hostname: "127.0.0.1" });
      refuse("epoll_ctl", code, { operation: ADD, fd: datagram.fd, times: 2 });
      const log = new Log();
      datagram.onError = (error) => log.lines.push(causeOf(error));
      datagram.onMessage = log.note("message");
      datagram.send(bytesOf("x"), datagram.address);
      stage.until(() => log.lines.includes("message"), "the message");
      assertEquals(log.lines, [`epoll_ctl ${code}`, "message"]);
      assertEquals(refusals(), 2);
      datagram.close();
      bystander.check();
    },
  );

  onAnyBackend(
    `${code} of EPOLL_CTL_MOD is reported to its owner`,
    (stage) => {
      const { reactor } = stage;
      const bystander = new Bystander(stage);
      const { connection } = stage.narrow();
      connection.onData = () => {};
      const end = endOf(stage, connection);
      refuse("epoll_ctl", code, { operation: MOD });
      connection.write(new Uint8Array(1_000_000));
      assertEquals([end(), refusals()], [`epoll_ctl ${code}`, 1]);

      const [peer, own] = stage.pair();
      fillSocket(own);
      reactor.register(own, EVENT_READ, () => {});
      refuse("epoll_ctl", code, { operation: MOD });
      assertEquals(
        thrown(() => reactor.modify(own, EVENT_WRITE, () => {})),
        `epoll_ctl ${code}`,
      );
      assertEquals(refusals(), 1);
      // As in Python, the registration has ended.
      assertThrows(() => reactor.unregister(own), Deno.errors.NotFound);
      drainSocket(peer);

      // Of two handlers one is removed: the other is made up for.
      const [left, right] = stage.pair();
      let read = 0;
      reactor.addReader(right, () => read += drainSocket(right));
      reactor.addWriter(right, () => {});
      refuse("epoll_ctl", code, { operation: MOD });
      assert(reactor.removeWriter(right));
      assertEquals(refusals(), 1);
      left.send(bytesOf("x"));
      stage.until(() => read === 1, "the reader, which is still there");
      reactor.removeReader(right);
      bystander.check();
      assertEquals(takeCauses(stage), []);
    },
  );

  onAnyBackend(
    `serve() reports ${code} of EPOLL_CTL_ADD, or does without`,
    async (stage) => {
      // The waker, and the clock of slices.
      for (let skip = 0; skip < 2; skip++) {
        const reactor = stage.make();
        const [left, right] = stage.pair();
        let heard = 0;
        reactor.register(right, EVENT_READ, () => heard += drainSocket(right));
        refuse("epoll_ctl", code, { operation: ADD, skip });
        let cause: string | undefined;
        const served = reactor.serve().catch((error) => cause = causeOf(error));
        const serves = async (): Promise<void> => {
          const before = heard;
          left.send(bytesOf("x"));
          await eventually(
            () => heard > before || cause !== undefined,
            `a message after ${skip} calls`,
          );
        };
        const end = performance.now() + PATIENCE;
        while (symbols.refusals() === 0 && performance.now() < end) {
          await serves();
        }
        assertEquals(refusals(), 1, `after ${skip} calls`);
        await serves();
        if (cause !== undefined) assertEquals(cause, `epoll_ctl ${code}`);
        reactor.close();
        await served;
      }
    },
  );
}

for (const code of ["ENOMEM", "ENOSPC"]) {
  onAnyBackend(
    `${code} of EPOLL_CTL_ADD ends a stream of a pipe, and no process stays unwatched`,
    (stage) => {
      const { reactor } = stage;
      const bystander = new Bystander(stage);
      const [reader, writer] = pipe();
      const stream = reactor.open(reader);
      const log = new Log();
      stream.onClose = (error) => log.lines.push(causeOf(error));
      refuse("epoll_ctl", code, { operation: ADD, fd: stream.fd });
      stream.onData = () => {};
      stage.until(() => log.lines.length > 0, "the end");
      assertEquals([refusals(), log.lines], [1, [`epoll_ctl ${code}`]]);
      close(writer);

      refuse("epoll_ctl", code, { operation: ADD });
      const options = { args: ["100"], stdin: "pipe" } as const;
      const start = (): unknown => spawn(reactor, "sleep", options);
      assertEquals(thrown(start), `epoll_ctl ${code}`);
      assertEquals(refusals(), 1);
      // No child is left: neither a running one, nor one to wait for.
      const children = `/proc/${Deno.pid}/task/${Deno.pid}/children`;
      assertEquals(Deno.readTextFileSync(children), "");
      bystander.check();
    },
  );
}

onAnyBackend(
  "read and write of a stream are repeated after EINTR, and end it with EIO",
  (stage) => {
    const { reactor } = stage;
    for (const code of ["EINTR", "EIO"]) {
      const [reader, writer] = pipe();
      const [input, output] = [reactor.open(reader), reactor.open(writer)];
      const log = new Log();
      input.onData = (chunk) => log.lines.push(textOf(chunk));
      input.onClose = (error) => log.lines.push(causeOf(error));
      output.onClose = (error) => log.lines.push(causeOf(error));
      refuse("write", code, { fd: output.fd });
      output.write("text");
      assertEquals(refusals(), 1);
      if (code === "EIO") {
        stage.until(() => log.lines.length === 2, "the ends");
        assertEquals(log.lines.sort(), ["undefined", "write EIO"]);
        continue;
      }
      refuse("read", code, { fd: input.fd });
      stage.until(() => log.lines.includes("text"), "the text");
      assertEquals([refusals(), log.lines], [1, ["text"]]);
      input.abort();
      output.abort();
    }
  },
);

onAnyBackend(
  "a descriptor that EPOLL_CTL_DEL keeps watched calls nothing",
  (stage) => {
    const bystander = new Bystander(stage);
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    refuse("epoll_ctl", "ENOMEM", { operation: DEL });
    connection.pause();
    assertEquals(refusals(), 1);
    peer.send("hello");
    stage.turns();
    bystander.check();
    assertEquals(log.lines, []);
    connection.resume();
    stage.until(() => log.lines.length > 0, "the message");
    assertEquals(log.lines, ["data hello"]);
  },
);

onAnyBackend("a renewal that is refused is made later", (stage) => {
  const { reactor } = stage;
  const bystander = new Bystander(stage);
  const calls: [call: string, code: string, which?: Which][] = [
    ["epoll_create1", "EMFILE"],
    ["epoll_ctl", "ENOMEM", { operation: ADD }],
    ["epoll_ctl", "ENOSPC", { operation: ADD }],
  ];
  for (const [call, code, which] of calls) {
    // A file that lives on in a copy, whose registration cannot be removed.
    const [left, right] = stage.pair();
    reactor.register(right, EVENT_READ, () => {});
    const copy = dup(right);
    right.close();
    reactor.unregister(right);
    left.send(bytesOf("x"));
    refuse(call, code, { ...which, times: 5 });
    const end = reactor.callEvery(300, () => {
      if (refusals() === 5) reactor.stop();
    });
    const { turns } = reactor.stats();
    reactor.run();
    end.cancel();
    assertLess(reactor.stats().turns - turns, 50);
    bystander.check();
    close(copy);
  }
});

/** accept(2), "Errors" and "Error handling": those of one connection are passed over. */
const ACCEPT_ERRORS = [
  ...["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"].map((code) =>
    [code, 1] as const
  ),
  ...["EINTR", "ECONNABORTED", "EPERM", "EPROTO", "ENETDOWN", "ENOPROTOOPT"]
    .map((code) => [code, 0] as const),
  ...["EHOSTDOWN", "ENONET", "EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH"].map((
    code,
  ) => [code, 0] as const),
];

onAnyBackend(
  "whatever accept4() is refused with, the listener goes on",
  (stage) => {
    const bystander = new Bystander(stage);
    let accepted = 0;
    const acceptor = stage.listen((connection) => {
      accepted++;
      connection.close();
    });
    for (const [code, reports] of ACCEPT_ERRORS) {
      const before = accepted;
      refuse("accept4", code);
      stage.dial(acceptor.address);
      stage.until(() => accepted > before, `the connection after ${code}`);
      assertEquals(refusals(), 1);
      const causes = Array.from({ length: reports }, () => `accept ${code}`);
      assertEquals(takeCauses(stage), causes, code);
      bystander.check();
    }
  },
);

onAnyBackend(
  "an accept4() that is always refused does not keep the loop busy",
  (stage) => {
    const { reactor } = stage;
    const bystander = new Bystander(stage);
    let accepted = 0;
    const acceptor = stage.listen((connection) => {
      accepted++;
      connection.close();
    });
    refuse("accept4", "EPERM", { times: 1_000_000 });
    stage.dial(acceptor.address);
    reactor.callLater(250, () => reactor.stop());
    reactor.run();
    // The attempts of a turn, once in 100 milliseconds.
    assertLess(refusals(), 64 * 6);
    assertEquals(takeCauses(stage), ["accept EPERM"]);
    stage.until(() => accepted === 1, "the connection");
    bystander.check();
  },
);

/** The errors that do not end a connection. */
const PASSES = ["EINTR", "EAGAIN"];

onEachBackend(
  "whatever recv() is refused with ends the connection, or passes",
  (stage) => {
    const bystander = new Bystander(stage);
    for (
      const code of [
        // EAGAIN has to be true in edge-triggered mode: no event repeats the hidden bytes.
        "EINTR",
        "ECONNREFUSED",
        "ECONNRESET",
        "ENOMEM",
        "ETIMEDOUT",
        "EHOSTUNREACH",
        "EIO",
      ]
    ) {
      const { connection, peer } = stage.connection();
      let received = "";
      connection.onData = (chunk) => received += textOf(chunk);
      const end = endOf(stage, connection);
      refuse("recv", code, { fd: connection.fd });
      peer.send("hello");
      if (code === "EINTR") {
        stage.until(() => received === "hello", `the message after ${code}`);
        connection.close();
        assertEquals(end(), "none");
      } else assertEquals([end(), received], [`recv ${code}`, ""]);
      assertEquals(refusals(), 1);
      bystander.check();
    }
  },
);

for (const call of ["send", "sendmsg"]) {
  onEachBackend(
    `whatever ${call}() is refused with ends the connection, or passes`,
    (stage) => {
      const bystander = new Bystander(stage);
      for (
        const code of [
          ...PASSES,
          "ECONNRESET",
          "EPIPE",
          "ENOBUFS",
          "ENOMEM",
          "EHOSTUNREACH",
          "ENETDOWN",
        ]
      ) {
        const { connection, peer } = stage.connection();
        const end = endOf(stage, connection);
        refuse(call, code, { fd: connection.fd });
        const data = bytesOf("hello");
        connection.write(
          call === "send" ? data : [data.subarray(0, 2), data.subarray(2)],
        );
        if (PASSES.includes(code)) {
          assertEquals(peer.readText(5), "hello", code);
          connection.close();
          assertEquals(end(), "none");
        } else assertEquals(end(), `${call} ${code}`);
        assertEquals(refusals(), 1);
        bystander.check();
      }
    },
  );
}

onAnyBackend("a shutdown() that is refused ends the connection", (stage) => {
  const { connection } = stage.connection();
  const end = endOf(stage, connection);
  refuse("shutdown", "EINVAL");
  connection.end();
  assertEquals([end(), refusals()], ["shutdown EINVAL", 1]);
});

/**
 * The calls of a connect, with the errors that connect(2), socket(2) and
 * getsockopt(2) name.
 */
const CONNECT_ERRORS: [call: string, codes: string[], which?: Which][] = [
  ["socket", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EACCES"]],
  ["connect", [
    "EACCES",
    "EPERM",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "ECONNREFUSED",
    "ENETUNREACH",
    "ETIMEDOUT",
  ]],
  // SO_ERROR, by which alone the result of a connect is known.
  ["getsockopt", ["ENOBUFS", "ENOMEM"], { operation: 4 }],
];

onEachBackend(
  "every error of a connect is reported to its onClose",
  (stage) => {
    const bystander = new Bystander(stage);
    const port = silentPort(stage);
    for (const [call, codes, which] of CONNECT_ERRORS) {
      for (const code of codes) {
        refuse(call, code, which);
        const log = new Log();
        const client = stage.reactor.connect({ port }, log.note("connected"));
        assertEquals(endOf(stage, client)(), `${call} ${code}`);
        assertEquals([refusals(), log.lines], [1, []]);
        bystander.check();
      }
    }
  },
);

onAnyBackend(
  "a Unix listener whose backlog is full is asked again",
  (stage) => {
    const path = stage.path();
    stage.listen(() => {}, { path });
    let connected = false;
    refuse("connect", "EAGAIN", { times: 2 });
    stage.reactor.connect({ path }, () => connected = true);
    stage.until(() => connected, "the connection");
    assertEquals(refusals(), 2);
  },
);

onEachBackend(
  "every error of datagrams is reported, and the socket goes on",
  (stage) => {
    const bystander = new Bystander(stage);
    const datagram = stage.reactor.datagram({ hostname: "127.0.0.1" });
    const log = new Log();
    datagram.onMessage = (data) => log.lines.push(textOf(data));
    datagram.onError = (error) => log.lines.push(causeOf(error));
    const expect = (lines: string[]): void => {
      stage.until(() => log.lines.length >= lines.length, lines.join());
      assertEquals(log.lines.splice(0), lines);
      assertEquals(refusals(), 1);
      bystander.check();
    };
    const message = { data: bytesOf("x"), address: datagram.address };
    for (const code of [...PASSES, "ECONNREFUSED", "ENOMEM", "EHOSTUNREACH"]) {
      const passes = PASSES.includes(code);
      refuse("recvmmsg", code);
      datagram.send(message.data, message.address);
      expect(passes ? ["x"] : [`recvmmsg ${code}`, "x"]);
    }
    for (
      const code of [
        ...PASSES,
        "ENOBUFS",
        "EACCES",
        "EPERM",
        "ENOMEM",
        "EHOSTUNREACH",
        "ENETUNREACH",
      ]
    ) {
      const passes = [...PASSES, "ENOBUFS"].includes(code);
      refuse("sendto", code);
      datagram.send(message.data, message.address);
      expect(passes ? ["x"] : [`sendto ${code}`]);
      refuse("sendmmsg", code);
      datagram.sendMany([message, { ...message, data: bytesOf("y") }]);
      // Only the message that was refused is lost.
      if (passes) expect(["x", "y"]);
      else {
        stage.until(() => log.lines.length === 2, "the other message");
        log.lines.sort();
        expect([`sendmmsg ${code}`, "y"]);
      }
    }
    datagram.close();
  },
);

/** The errors by which the kernel refuses to split a message. */
const UNSPLIT = ["EIO", "EINVAL", "EMSGSIZE", "EOPNOTSUPP"];

onEachBackend(
  "datagrams that the kernel refuses to split are sent one by one, and others lose one",
  (stage) => {
    const { reactor } = stage;
    const options = { hostname: "127.0.0.1", offload: true };
    const receiver = reactor.datagram(options);
    const texts: string[] = [];
    const errors: string[] = [];
    receiver.onMessage = (data) => texts.push(textOf(data));
    const expect = (expected: string[], causes: string[]): void => {
      stage.until(() => texts.length === expected.length, expected.join());
      stage.until(() => errors.length === causes.length, causes.join());
      assertEquals([texts.splice(0), errors.splice(0)], [expected, causes]);
      assertEquals(refusals(), 1);
    };
    // A new one each time: a refused size is not tried again for a while.
    const newSender = (): Datagram => {
      const sender = reactor.datagram(options);
      sender.onError = (error) => errors.push(causeOf(error));
      return sender;
    };
    for (const code of [...UNSPLIT, ...PASSES, "ENOBUFS", "EPERM"]) {
      const fails = code === "EPERM";
      const [sender, echo] = [newSender(), newSender()];
      refuse("sendmsg", code);
      sender.sendSegments(bytesOf("aabbccd"), 2, receiver.address);
      const all = ["aa", "bb", "cc", "d"];
      expect(fails ? all.slice(1) : all, fails ? ["sendmsg EPERM"] : []);
      // Two replies become one message.
      echo.onMessage = (data) => echo.send(data, receiver.address);
      for (const text of ["11", "22"]) {
        receiver.send(bytesOf(text), echo.address);
      }
      refuse("sendmmsg", code);
      const both = ["11", "22"];
      expect(fails ? ["22"] : both, fails ? ["sendmmsg EPERM"] : []);
      sender.close();
      echo.close();
    }
    receiver.close();
  },
  { ignore: Deno.build.os !== "linux" },
);

onEachBackend("the waker may be interrupted, and may fail", (stage) => {
  const { reactor } = stage;
  const bystander = new Bystander(stage);
  let soon = 0;
  for (const code of ["EINTR", "EAGAIN", "EIO"]) {
    const { wakeFd } = reactor;
    reactor.wake();
    refuse("read", code, { fd: watchedEnd(reactor) });
    reactor.callSoon(() => soon++);
    stage.turns(2);
    assertEquals(refusals(), 1);
    assertEquals(takeCauses(stage), code === "EIO" ? ["read EIO"] : []);
    refuse("write", "EINTR", { fd: wakeFd });
    reactor.wake();
    assertEquals([refusals(), reactor.runOnce(1000)], [1, true]);
    bystander.check();
  }
  assertEquals(soon, 3);
});

onAnyBackend(
  "serve() reports a missing descriptor, or does without it",
  async (stage) => {
    const calls: [call: string, codes: string[]][] = [
      ["pipe2", ["EMFILE", "ENFILE"]],
      ["timerfd_create", ["EMFILE", "ENFILE", "ENOMEM"]],
    ];
    for (const [call, codes] of calls) {
      for (const code of codes) {
        const reactor = stage.make();
        const [left, right] = stage.pair();
        let heard = 0;
        reactor.register(right, EVENT_READ, () => heard += drainSocket(right));
        refuse(call, code);
        let cause: string | undefined;
        const served = reactor.serve().catch((error) => cause = causeOf(error));
        left.send(bytesOf("x"));
        await eventually(() => heard === 1 || cause !== undefined, "either");
        assertEquals(refusals(), 1);
        if (heard === 0) assertEquals(cause, `${call} ${code}`);
        reactor.close();
        await served;
      }
    }
  },
);

onAnyBackend("a reactor without an epoll instance is not made", () => {
  // With any other it is made with poll.
  for (const code of ["EMFILE", "ENFILE"]) {
    refuse("epoll_create1", code);
    assertEquals(thrown(() => new Reactor()), `epoll_create1 ${code}`);
    assertEquals(refusals(), 1);
  }
});

/** The end of the waker's pipe that the reactor watches. */
function watchedEnd({ selector, wakeFd }: Reactor): number {
  for (const { fileobj, fd } of selector.getMap().values()) {
    if ((fileobj as { wakeFd?: number }).wakeFd === wakeFd) return fd;
  }
  throw new Error("The waker is not registered");
}

/** A port whose listener never accepts. */
function silentPort(stage: Stage): number {
  return (stage.silentListener().localAddress as InternetAddress).port;
}

/** The cause that a call throws. */
function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return causeOf(error as SystemError);
  }
  return "nothing";
}
