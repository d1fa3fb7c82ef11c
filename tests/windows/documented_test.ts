/**
 * The behaviour that Pollux relies on, and only Windows itself can show. Each expectation
 * has its source, and the statement there. Microsoft documents nothing about AFD: a test
 * says so where its expectation is that of another source, or of a similar call. Wine
 * differs in some: there the test is ignored, and its name says how.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
} from "@std/assert";
import { AfdInstance, undrained } from "../../backends/afd.ts";
import { baseHandle } from "../../backends/ffi/base_handle.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { Socket } from "../../backends/ffi/mod.ts";
import {
  Afd,
  AFD_POLL_RECEIVE,
  AfdSelector,
  EVENT_HANG_UP,
  EVENT_READ,
  EVENT_WRITE,
  Poll,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
} from "../../backends/mod.ts";
import {
  assertWouldBlock,
  bytesOf,
  elapsed,
  expectEvents,
  pairOf,
  PATIENCE,
  runDeno,
  test,
  wine,
} from "../util.ts";

const LEARN = "https://learn.microsoft.com/en-us/windows";

/** Where an expectation comes from. */
interface Source {
  /** The page or file. */
  readonly at: string;
  /** Its statement, and its silence about the rest. */
  readonly says: string;
}

/**
 * Defines a test of Windows.
 *
 * @param differs How Wine differs, if it does
 */
function onWindows(
  name: string,
  source: Source,
  body: () => void | Promise<void>,
  differs?: string,
): void {
  const ignored = Deno.build.os !== "windows"
    ? "this is not Windows"
    : wine
    ? differs
    : undefined;
  const reason = ignored === undefined ? "" : ` (ignored: ${ignored})`;
  test(`Windows: ${name}${reason}`, async () => {
    try {
      await body();
    } catch (error) {
      const text = `Other than ${source.at} says: ${source.says}`;
      throw new Error(text, { cause: error });
    }
  }, { ignore: ignored !== undefined });
}

/** A listener on the loopback interface, and its address. */
function listen(): Socket {
  const listener = Socket.create();
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  return listener;
}

/** A socket whose connect is refused. */
function refused(): Socket {
  const listener = listen();
  const address = listener.localAddress;
  listener.close();
  const client = Socket.create();
  client.connect(address);
  return client;
}

onWindows(
  "AFD_POLL_DISCONNECT comes while bytes are still unread",
  {
    at:
      "https://github.com/piscisaureus/wepoll/blob/master/test/test-oneshot-and-hangup.c",
    says:
      "EPOLLRDHUP comes after FIN although bytes are never read. Microsoft " +
      "documents nothing about AFD. FD_CLOSE of WSAEventSelect comes after all data",
  },
  () => {
    using pair = pairOf();
    using selector = new AfdSelector<string>();
    selector.register(pair.right, EVENT_READ | EVENT_HANG_UP, "right");
    pair.left.send(bytesOf("x"));
    pair.left.shutdown("write");
    expectEvents(selector, [["right", EVENT_READ | EVENT_HANG_UP]]);
  },
  "Wine reports it after the bytes",
);

onWindows(
  "a refused connect is POLLHUP, POLLERR and POLLWRNORM",
  {
    at: `${LEARN}/win32/api/winsock2/nf-winsock2-wsapoll`,
    says:
      "As of Windows 10 version 2004, when a TCP socket fails to connect, " +
      "(POLLHUP | POLLERR | POLLWRNORM) is indicated",
  },
  () => {
    using client = refused();
    const poll = new Poll();
    poll.register(client, POLLOUT);
    const bits = POLLHUP | POLLERR | POLLOUT;
    assertEquals(poll.poll(PATIENCE), [[client.fd, bits]]);
  },
  "Wine reports POLLERR alone",
);

onWindows(
  "WSAPoll returns at once for a closed socket among others, and counts it",
  {
    at: `${LEARN}/win32/api/winsock2/nf-winsock2-wsapoll`,
    says:
      "Error conditions are always returned; POLLNVAL: an invalid socket was " +
      "used; the result is the number of elements whose revents is nonzero",
  },
  () => {
    using pair = pairOf();
    const closed = Socket.create();
    const { fd } = closed;
    closed.close();
    const poll = new Poll();
    poll.register(pair.right, POLLIN);
    poll.register(fd, POLLIN);
    const took = elapsed(() => {
      assertEquals(poll.poll(PATIENCE), [[fd, POLLNVAL]]);
    });
    assertLess(took, PATIENCE / 3);
  },
  "Wine waits until the timeout",
);

onWindows(
  "SO_ERROR is cleared when it is read",
  {
    at: `${LEARN}/win32/api/winsock/nf-winsock-getsockopt`,
    says: "SO_ERROR: Retrieves error status and clear",
  },
  () => {
    using client = refused();
    using selector = new AfdSelector<string>();
    selector.register(client, EVENT_WRITE, "client");
    expectEvents(selector, [["client", EVENT_WRITE]]);
    assert(client.takeError() instanceof Deno.errors.ConnectionRefused);
    assertEquals(client.takeError(), null);
  },
  "Wine keeps the error",
);

onWindows(
  "SIO_UDP_CONNRESET off keeps the port unreachable of a peer from other datagrams",
  {
    at: `${LEARN}/win32/winsock/winsock-ioctls`,
    says:
      "SIO_UDP_CONNRESET controls whether UDP PORT_UNREACHABLE messages are " +
      "reported. The page names Windows XP, and no later version",
  },
  () => {
    using dead = Socket.create("IPv4", "datagram");
    dead.bind({ hostname: "127.0.0.1", port: 0 });
    const address = dead.localAddress;
    dead.close();
    using sender = Socket.create("IPv4", "datagram");
    sender.bind({ hostname: "127.0.0.1", port: 0 });
    sender.sendTo(bytesOf("anybody?"), address);
    using selector = new AfdSelector<string>();
    selector.register(sender, EVENT_READ, "sender");
    assertEquals(selector.select(100), []);
    assertWouldBlock(sender.recv(new Uint8Array(1)));
  },
);

onWindows(
  "a Unix listener has readiness as any other",
  {
    at: "https://devblogs.microsoft.com/commandline/af_unix-comes-to-windows/",
    says:
      "Processes use AF_UNIX over the Winsock API. Nothing about readiness; " +
      "nothing there or elsewhere about AFD",
  },
  () => {
    const path = Deno.makeTempFileSync();
    Deno.removeSync(path);
    using listener = Socket.create("unix");
    listener.bind({ path });
    listener.listen();
    using client = Socket.create("unix");
    using selector = new AfdSelector<string>();
    client.connect({ path });
    selector.register(listener, EVENT_READ, "listener");
    expectEvents(selector, [["listener", EVENT_READ]]);
    listener.accept()!.close();
    Deno.removeSync(path);
  },
  "Wine has no AF_UNIX",
);

onWindows(
  "a socket that is neither connected nor listening is not readable",
  {
    at: `${LEARN}/win32/api/winsock2/nf-winsock2-select`,
    says:
      "readfds: a connection is pending, data is available, or the connection " +
      "has been closed, reset or terminated. Nothing about AFD",
  },
  () => {
    using socket = Socket.create();
    using selector = new AfdSelector<string>();
    selector.register(socket, EVENT_READ, "socket");
    assertEquals(selector.select(50), []);
  },
);

onWindows(
  "a port wakes a parked wait while this thread runs",
  {
    at: `${LEARN}/win32/fileio/i-o-completion-ports`,
    says:
      "If the number of running threads is less than the concurrency value, " +
      "a waiting thread is allowed to process the packet",
  },
  async () => {
    using pair = pairOf();
    using selector = new AfdSelector<string>();
    selector.register(pair.right, EVENT_READ, "right");
    const parked = selector.park(PATIENCE);
    pair.left.send(bytesOf("x"));
    const end = performance.now() + 50;
    while (performance.now() < end);
    assertEquals(await parked, 1);
    assertLess(performance.now() - end, PATIENCE / 3);
  },
);

onWindows(
  "cancelled polls end before close() returns, and their memory is free",
  {
    at: `${LEARN}/win32/devnotes/nt-cancel-io-file-ex`,
    says:
      "For asynchronous operations still pending, the cancel operation will " +
      "queue an I/O completion packet. Nothing about how soon",
  },
  () => {
    const before = undrained.length;
    using pair = pairOf();
    for (let round = 0; round < 20; round++) {
      const afd = new AfdInstance();
      for (let poll = 0; poll < 100; poll++) {
        afd.start(baseHandle(pair.right.fd), AFD_POLL_RECEIVE);
      }
      afd.close();
    }
    assertEquals(undrained.length, before);
  },
);

onWindows(
  "SIO_BASE_HANDLE is the socket itself where no provider is layered",
  {
    at: `${LEARN}/win32/winsock/winsock-ioctls`,
    says:
      "SIO_BASE_HANDLE retrieves the handle of the base service provider; a " +
      "layered one never intercepts it. Nothing says that both have one number",
  },
  () => {
    using socket = Socket.create();
    assertEquals(baseHandle(socket.fd), socket.fd);
    using afd = new Afd();
    afd.submit(socket, AFD_POLL_RECEIVE);
    const { fd } = socket;
    socket.close();
    assertEquals(baseHandle(fd), -system().errno.EBADF!);
  },
);

onWindows(
  "server.listen({ fd }) of node:net is an error, and does not end the process",
  {
    at: "https://nodejs.org/api/net.html#serverlistenhandle-backlog-callback",
    says:
      "Listening on a file descriptor is not supported on Windows. Nothing " +
      "about the way in which it fails",
  },
  async () => {
    const { code, stdout } = await runDeno(
      `
      import { createServer } from "node:net";
      import { Socket } from "POLLUX/backends/ffi/mod.ts";
      const socket = Socket.create();
      socket.bind({ hostname: "127.0.0.1", port: 0 });
      const server = createServer();
      server.on("error", () => console.log("an error"));
      server.listen({ fd: socket.fd });
      setTimeout(() => Deno.exit(0), 100);
      `,
      ["--allow-ffi", "--allow-net"],
    );
    assertEquals([code, stdout.trim()], [0, "an error"]);
  },
  "the Deno of this version ends without a word",
);

onWindows(
  "a wait of a millisecond never ends early, and takes three ticks of 15.6 ms at most",
  {
    at: `${LEARN}-hardware/drivers/kernel/high-resolution-timers`,
    says:
      "The default interval between ticks is about 15 ms, and a timer can expire " +
      "up to one earlier or later. Pollux waits again after an early end",
  },
  () => {
    using selector = new AfdSelector<string>();
    const times = Array.from(
      { length: 20 },
      () => elapsed(() => assertEquals(selector.select(1), [])),
    );
    assertGreaterOrEqual(Math.min(...times), 1);
    assertLess(Math.min(...times), 3 * 15.625);
  },
);
