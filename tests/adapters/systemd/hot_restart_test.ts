/**
 * Restarts. The old and the new process are two reactors of one process here, and
 * exchange descriptors as two processes do. tests/examples/hot_restart_test.ts restarts
 * processes under load.
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
  fail,
} from "@std/assert";
import {
  type HotRestart,
  takeOver,
  type TakeOverOptions,
} from "../../../adapters/systemd/mod.ts";
import { LineSocket } from "../../../adapters/systemd/line_socket.ts";
import {
  close,
  ffiPermissionFlag,
  pipe,
  Socket,
  type SocketAddress,
  socketPair,
} from "../../../backends/ffi/mod.ts";
import { type Acceptor, type Datagram, Reactor } from "../../../reactor/mod.ts";
import { absenceOf, Program } from "../../program.ts";
import { bytesOf, emulated, eventually, runDeno, test } from "../../util.ts";

const ADDRESS = { hostname: "127.0.0.1", port: 0 } as const;

/** A process that serves "web", and replies with its name. */
class Process implements AsyncDisposable {
  readonly name: string;
  readonly errors: unknown[] = [];
  readonly reactor = new Reactor({
    onError: (error) => this.errors.push(error),
  });
  restart!: HotRestart;
  server!: Acceptor;
  isTaken = false;

  private constructor(name: string) {
    this.name = name;
    this.reactor.serve();
  }

  /** Starts a process, which has taken the listeners over but does not serve yet. */
  static async start(
    name: string,
    path: string,
    options: TakeOverOptions = {},
    address: SocketAddress = ADDRESS,
  ): Promise<Process> {
    const process = new Process(name);
    try {
      process.restart = await takeOver(process.reactor, path, options);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    const socket = process.restart.socket("web");
    process.server = process.reactor.listen(
      socket === null ? address : { socket },
      (peer) => peer.end(name),
    );
    return process;
  }

  /** Serves, after the end of the process before. */
  async serve(others: Record<string, Datagram> = {}): Promise<void> {
    await this.restart.handOver({ web: this.server, ...others }, () => {
      this.isTaken = true;
    });
  }

  /** Ends, as by a crash. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.reactor[Symbol.asyncDispose]();
    this.restart?.close();
  }
}

/** A path for the processes to meet at. */
function meetingPlace(): { readonly path: string } & Disposable {
  const directory = Deno.makeTempDirSync();
  return {
    path: `${directory}/restart`,
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
}

/** Connects as a client, and returns the name of the process that replies. */
async function ask(address: SocketAddress): Promise<string> {
  const options = "path" in address
    ? { transport: "unix", path: address.path } as const
    : address;
  using client = "path" in options
    ? await Deno.connect(options)
    : await Deno.connect(options);
  return await new Response(client.readable).text();
}

test("takeOver: finds no sockets at the first start, and listens at the path", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  assertEquals(first.restart.socket("web"), null);
  await first.serve();
  assert(Deno.lstatSync(place.path).isSocket);
  assertEquals(await ask(first.server.address), "first");
});

test("takeOver: ignores the socket of a process that has crashed", async () => {
  using place = meetingPlace();
  {
    using socket = Socket.create("unix");
    socket.bind(place);
    socket.listen();
  }
  await using first = await Process.start("first", place.path);
  await first.serve();
  await using second = await Process.start("second", place.path);
  assertEquals(second.server.address, first.server.address);
});

test("HotRestart.handOver: the old process serves until the new one is ready", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  const { address } = first.server;
  await first.serve();
  await using second = await Process.start("second", place.path);
  assertEquals(second.server.address, address);
  second.server.pause(); // as handOver() does
  assertEquals(await ask(address), "first");
  await second.serve();
  assertEquals([first.isTaken, first.server.closed], [true, true]);
  assertEquals(await ask(address), "second");
});

test("HotRestart.handOver: connections of the backlog are served by the new process", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  await first.serve();
  first.server.pause();
  const waiting = Array.from({ length: 10 }, () => ask(first.server.address));
  await using second = await Process.start("second", place.path);
  await second.serve();
  assertEquals(await Promise.all(waiting), Array(10).fill("second"));
});

test("HotRestart.handOver: many processes in turn have the same sockets", async () => {
  using place = meetingPlace();
  let last = await Process.start("0", place.path);
  const { address } = last.server;
  await last.serve();
  const { ino } = Deno.lstatSync(place.path);
  for (let number = 1; number <= 5; number++) {
    const next = await Process.start(`${number}`, place.path);
    await next.serve();
    await eventually(() => last.isTaken, "the call");
    await last[Symbol.asyncDispose]();
    assertEquals(await ask(address), `${number}`);
    last = next;
  }
  // No process has created the socket at the path again.
  assertEquals(Deno.lstatSync(place.path).ino, ino);
  await last[Symbol.asyncDispose]();
});

test("HotRestart.handOver: the file of a Unix listener stays", async () => {
  using place = meetingPlace();
  const address = { path: `${place.path}.web` };
  const first = await Process.start("first", place.path, {}, address);
  await first.serve();
  await using second = await Process.start("second", place.path);
  await second.serve();
  await eventually(() => first.isTaken, "the call");
  await first[Symbol.asyncDispose]();
  assertEquals(await ask(address), "second");
});

test("HotRestart.handOver: a datagram socket keeps messages that wait", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  const dns = first.reactor.datagram(ADDRESS);
  await first.serve({ dns });
  using client = first.reactor.datagram();
  dns.pause();
  client.send(bytesOf("question"), dns.address);
  await using second = await Process.start("second", place.path);
  const socket = second.restart.socket("dns")!;
  const taken = second.reactor.datagram({ socket });
  const received: string[] = [];
  taken.onMessage = (data) => received.push(new TextDecoder().decode(data));
  await second.serve({ dns: taken });
  await eventually(() => received.length === 1, "the message");
  assertEquals([received, dns.closed], [["question"], true]);
});

test("HotRestart.handOver: if the new process ends before, nothing has changed", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  await first.serve();
  for (let count = 0; count < 3; count++) {
    await using second = await Process.start("second", place.path);
    second.server.pause();
  }
  assertEquals(await ask(first.server.address), "first");
  await using third = await Process.start("third", place.path);
  await third.serve();
  assertEquals(await ask(third.server.address), "third");
  assertEquals(first.errors, []);
});

test("HotRestart.handOver: if the new process ends in the middle, the old one serves on", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  await first.serve();
  {
    using peer = Socket.create("unix");
    peer.connect(place);
    peer.send(bytesOf("ready\n"));
  }
  await eventually(() => first.errors.length > 0, "the report");
  assertEquals(first.isTaken, false);
  assertEquals(await ask(first.server.address), "first");
  await using second = await Process.start("second", place.path);
  await second.serve();
  assertEquals(await ask(second.server.address), "second");
});

test("HotRestart.handOver: if the old process ends before, the new one serves", async () => {
  using place = meetingPlace();
  const first = await Process.start("first", place.path);
  await first.serve();
  const { address } = first.server;
  await using second = await Process.start("second", place.path);
  await first[Symbol.asyncDispose]();
  await second.serve();
  assertEquals(await ask(address), "second");
  await using third = await Process.start("third", place.path);
  await third.serve();
  assertEquals(await ask(address), "third");
});

test("HotRestart.handOver: of two new processes, only the first replaces the old one", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  await first.serve();
  await using second = await Process.start("second", place.path);
  await using third = await Process.start("third", place.path);
  third.server.pause();
  await second.serve();
  await assertRejects(() => third.serve(), Deno.errors.AddrInUse);
  assertEquals(await ask(second.server.address), "second");
  await assertRejects(() => third.serve(), Deno.errors.Busy);
});

test("HotRestart.handOver: closes sockets that were not taken, and offers open listeners only", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  const closed = first.reactor.datagram(ADDRESS);
  const old = first.reactor.datagram(ADDRESS);
  const { address } = old;
  await first.serve({ closed, old });
  closed.close();
  await using second = await Process.start("second", place.path);
  assertEquals(second.restart.socket("closed"), null);
  await second.serve();
  // The port is free again: neither process has the socket.
  assert(old.closed);
  second.reactor.datagram(address).close();
});

test("HotRestart.handOver: refuses a callback that is no function", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  await assertRejects(
    () => first.restart.handOver({}, null as never),
    TypeError,
    "null",
  );
});

test("HotRestart.handOver: refuses more listeners than one message passes, and changes nothing", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  const listeners = Object.fromEntries(
    Array.from({ length: 254 }, (_, n) => [n, first.server]),
  );
  await assertRejects(
    () => first.restart.handOver(listeners, () => {}),
    RangeError,
    "254",
  );
  await first.serve();
});

test("HotRestart.handOver: offers nothing after close(), also one during it", async () => {
  using place = meetingPlace();
  await using first = await Process.start("first", place.path);
  await using second = await Process.start("second", place.path);
  const during = first.restart.handOver({ web: first.server }, () => {});
  first.restart.close();
  await assertRejects(() => during, Deno.errors.BadResource);
  second.restart.close();
  await assertRejects(
    () => second.restart.handOver({ web: second.server }, () => {}),
    Deno.errors.BadResource,
  );
  using probe = Socket.create("unix");
  assertThrows(
    () => probe.connect({ path: place.path }),
    Deno.errors.NotFound,
  );
});

test("takeOver: refuses unknown options, and a timeout of 0", async () => {
  using reactor = new Reactor();
  const options = { timout: 1 } as TakeOverOptions;
  await assertRejects(() => takeOver(reactor, "/x", options), TypeError);
  await assertRejects(
    () => takeOver(reactor, "/x", { timeout: 0 }),
    RangeError,
  );
});

test("takeOver: reports a program at the path that does not answer", async () => {
  using place = meetingPlace();
  await using silent = await Process.start("silent", "\0pollux-unused");
  silent.reactor.listen(place, () => {});
  await assertRejects(
    () => Process.start("new", place.path, { timeout: 50 }),
    Deno.errors.TimedOut,
    "50 ms",
  );
});

test("takeOver: reports a program at the path that closes each connection", async () => {
  using place = meetingPlace();
  await using other = await Process.start("other", "\0pollux-unused");
  let accepted = 0;
  other.reactor.listen(place, (peer) => {
    accepted++;
    peer.close();
  });
  await assertRejects(
    () => Process.start("new", place.path),
    Deno.errors.InvalidData,
  );
  assertEquals(accepted, 3);
});

test("takeOver: reports a line that is no list of names", async () => {
  using place = meetingPlace();
  for (const text of ["hello\n", '["web"]\n', '{"web":1}\n']) {
    await using stranger = await Process.start("stranger", "\0pollux-unused");
    const acceptor = stranger.reactor.listen(place, (peer) => peer.end(text));
    await assertRejects(
      () => Process.start("new", place.path),
      Deno.errors.InvalidData,
    );
    acceptor.close();
  }
});

test("takeOver: descriptors of an offer that are no sockets are closed", async () => {
  using place = meetingPlace();
  await using stranger = await Process.start("stranger", "\0pollux-unused");
  const server = stranger.server;
  const acceptor = stranger.reactor.listen(place, (peer) => {
    const [reader, writer] = pipe();
    const text = bytesOf('["first","second","third"]\n');
    peer.socket.sendMessage(text, { descriptors: [server, reader, server] });
    close(reader);
    close(writer);
    peer.end();
  });
  // The test counts descriptors at its end.
  await assertRejects(
    () => Process.start("new", place.path),
    Deno.errors.InvalidData,
  );
  acceptor.close();
});

test("takeOver: a line after the timeout is an error for its sender", async () => {
  await using process = await Process.start("first", "\0pollux-unused");
  const [left, right] = socketPair();
  using lines = new LineSocket(process.reactor, right);
  await assertRejects(() => lines.line(1), Deno.errors.TimedOut);
  try {
    left.send(bytesOf("done\n"));
    fail("It was sent");
  } catch (error) {
    assert(error instanceof Deno.errors.BrokenPipe, `${error}`);
  } finally {
    left.close();
  }
});

const PROGRAM = `
import { takeOver } from "POLLUX/adapters/systemd/mod.ts";
import { Reactor } from "POLLUX/mod.ts";

async function start() {
  const reactor = new Reactor();
  const served = reactor.serve();
  const restart = await takeOver(reactor, "\\0pollux-" + Deno.pid);
  const socket = restart.socket("web");
  const address = socket ? { socket } : { hostname: "127.0.0.1", port: 0 };
  const web = reactor.listen(address, () => {});
  await restart.handOver({ web }, () => reactor.shutdown());
  return { reactor, served };
}
const { served } = await start();
const { reactor } = await start();
await served;
reactor.stop();
console.log("taken");
`;

test("takeOver: needs --allow-ffi for the C library alone", async () => {
  const { stdout, stderr } = await runDeno(PROGRAM, [ffiPermissionFlag()]);
  assertEquals(stdout, "taken\n", stderr);
}, { ignore: emulated });

/** Connects as another user, and prints the bytes that it receives. */
const STRANGER = `
import os, socket, sys
os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
client.connect("\\0" + sys.argv[1])
print(client.recv(100))
`;

const stranger = Deno.build.os !== "linux" || Deno.uid() !== 0
  ? "only root can be another user"
  : await absenceOf("python3", "--version");

test(
  `takeOver: sends no sockets to another user${
    stranger === undefined ? "" : ` (ignored: ${stranger})`
  }`,
  async () => {
    const name = `pollux-${Deno.pid}`;
    await using first = await Process.start("first", `\0${name}`);
    await first.serve();
    await using program = new Program("python3", ["-c", STRANGER, name]);
    const { lines, errors } = await program.ending();
    assertEquals([lines, errors], [["b''"], ""]);
    const [error] = first.errors;
    assert(error instanceof Deno.errors.PermissionDenied, `${error}`);
  },
  { ignore: stranger !== undefined },
);
