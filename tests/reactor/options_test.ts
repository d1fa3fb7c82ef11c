/**
 * Unknown options are refused before anything else is done.
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WasiHost } from "../../adapters/wasi/mod.ts";
import { Reactor } from "../../reactor/mod.ts";
import { checkOptions } from "../../backends/ffi/options.ts";
import { onAnyBackend } from "./stage.ts";

/** Options from a variable, which the compiler does not check for unknown names. */
function through(options: object): never {
  return options as never;
}

/** Each method with options, called with an unknown one. */
const DOORS: readonly (readonly [
  name: string,
  open: (reactor: Reactor, options: never) => unknown,
  options: object,
  message: string,
])[] = [
  [
    "listen()",
    (reactor, options) => reactor.listen(options, () => {}),
    { host: "127.0.0.1", port: 0 },
    'Unknown option "host"; did you mean "hostname"?',
  ],
  [
    "connect()",
    (reactor, options) => reactor.connect(options),
    { host: "192.0.2.1", port: 1 },
    'Unknown option "host"; did you mean "hostname"?',
  ],
  [
    "datagram()",
    (reactor, options) => reactor.datagram(options),
    { remoteAdress: { hostname: "127.0.0.1", port: 1 } },
    'Unknown option "remoteAdress"; did you mean "remoteAddress"?',
  ],
  [
    "datagram() of a peer",
    (reactor, options) => reactor.datagram(options),
    { remoteAddress: { host: "127.0.0.1", port: 1 } },
    'Unknown option "host"; did you mean "hostname"?',
  ],
  [
    "net.listen()",
    (reactor, options) => reactor.net.listen(options),
    { hostName: "127.0.0.1", port: 0 },
    'Unknown option "hostName"; did you mean "hostname"?',
  ],
  [
    "serve()",
    (reactor, options) => reactor.serve(options),
    { abort: AbortSignal.abort() },
    'Unknown option "abort"',
  ],
  [
    "shutdown()",
    (reactor, options) => reactor.shutdown(options),
    { timeOut: 5 },
    'Unknown option "timeOut"; did you mean "timeout"?',
  ],
  [
    "readable()",
    (reactor, options) => reactor.readable(0, options),
    { timeout: 5 },
    'Unknown option "timeout"',
  ],
  [
    "new Reactor()",
    (_, options) => new Reactor(options),
    { onerror: (): void => {} },
    'Unknown option "onerror"; did you mean "onError"?',
  ],
];

for (
  const [options, message] of [
    [{ preopen: {} }, 'Unknown option "preopen"; did you mean "preopens"?'],
  ] as const
) {
  Deno.test(`new WasiHost() says: ${message}`, () => {
    const error = assertThrows(
      () => new WasiHost(through(options)),
      TypeError,
    );
    assertEquals(error.message, message);
  });
}

for (const [name, open, options, message] of DOORS) {
  onAnyBackend(
    `${name}: an unknown option is a TypeError that names it`,
    (stage) => {
      const error = assertThrows(
        () => open(stage.reactor, through(options)),
        TypeError,
      );
      assertEquals(error.message, message);
      assertEquals(stage.reactor.stats().registered, 0);
    },
  );
}

onAnyBackend(
  "net.connect(): it rejects with a TypeError that names an unknown option",
  async ({ reactor }) => {
    await assertRejects(
      () => reactor.net.connect(through({ host: "192.0.2.1", port: 1 })),
      TypeError,
      'Unknown option "host"; did you mean "hostname"?',
    );
  },
);

onAnyBackend(
  "connect(), net.connect(), serve(): a signal that is none is refused before anything begins",
  async ({ reactor }) => {
    const signal = new AbortController();
    const options = { hostname: "name.invalid", port: 1, signal };
    const message = 'Option "signal" is no AbortSignal';
    assertThrows(() => reactor.connect(through(options)), TypeError, message);
    await assertRejects(
      () => reactor.net.connect(through(options)),
      TypeError,
      message,
    );
    assertThrows(() => reactor.serve(through({ signal })), TypeError, message);
    assertEquals(reactor.connections, 0);
    assertEquals(reactor.running, false);
  },
);

onAnyBackend("reactor.net: it takes all options of Deno", async (stage) => {
  const reactor = stage.make();
  const served = reactor.serve();
  {
    using listener = reactor.net.listen({
      hostname: "127.0.0.1",
      port: 0,
      tcpBacklog: 5,
      transport: "tcp",
    });
    using conn = await reactor.net.connect({
      hostname: "localhost",
      port: listener.addr.port,
      transport: "tcp",
      autoSelectFamily: false,
      autoSelectFamilyAttemptDelay: 10,
    });
    using accepted = await listener.accept();
    assertEquals(conn.localAddr, accepted.remoteAddr);
  }
  reactor.stop();
  await served;
});

for (
  const options of [
    { port: 0, transport: "udp" },
    { port: 0, transport: "unix" },
    { transport: "unix" },
    { path: "/nonexistent/socket", transport: "tcp" },
  ]
) {
  onAnyBackend(
    `reactor.net: ${JSON.stringify(options)} is refused`,
    async ({ reactor }) => {
      assertThrows(
        () => reactor.net.listen(through(options)),
        TypeError,
        `"${options.transport}"`,
      );
      await assertRejects(
        () => reactor.net.connect(through(options)),
        TypeError,
        `"${options.transport}"`,
      );
    },
  );
}

Deno.test("checkOptions(): a name that resembles no option has no hint", () => {
  const names = { hostname: true, port: true, path: true } as const;
  const error = assertThrows(() => checkOptions({ backlog: 1 }, names));
  assertEquals((error as Error).message, 'Unknown option "backlog"');
  checkOptions({ path: "/x" }, names);
  checkOptions({}, names);
});
