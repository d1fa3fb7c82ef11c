/**
 * Serial ports on pseudoterminals: on pairs of socat, and on single ones whose other
 * side is the test.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  openSerial,
  type SerialOptions,
  type SerialPort,
} from "../../../adapters/serial/mod.ts";
import { terminalOf } from "../../../adapters/serial/systems.ts";
import { Termios } from "../../../adapters/serial/termios.ts";
import { ioctl } from "../../../backends/ffi/calls.ts";
import {
  close,
  ffiPermissionFlag,
  openFile,
  read,
  type SystemError,
  write,
} from "../../../backends/ffi/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { absenceOf, Program } from "../../program.ts";
import { bytesOf, emulated, eventually, runDeno, test } from "../../util.ts";

/** <asm/ioctls.h> of Linux. */
const TIOCSPTLCK = 0x4004_5431, TIOCGPTN = 0x8004_5430, TIOCGEXCL = 0x8004_5440;

/** Why the tests have to be ignored; undefined if they can run. */
const absence = Deno.build.os !== "linux"
  ? "this is not Linux"
  : emulated
  ? "the emulator does not know TCGETS2"
  : undefined;
const noSocat = absence ?? await absenceOf("socat", "-V");
const FAST: SerialOptions = { baudRate: 115_200 };

/** A pseudoterminal, whose other side is the test; and a reactor that serves. */
class Stage implements AsyncDisposable {
  readonly reactor = new Reactor();
  readonly master = openFile("/dev/ptmx", "r+");
  readonly path: string;
  #hasMaster = true;

  constructor() {
    ioctl(this.master, TIOCSPTLCK, new Int32Array(1));
    const number = new Int32Array(1);
    ioctl(this.master, TIOCGPTN, number);
    this.path = `/dev/pts/${number[0]}`;
    this.reactor.serve();
  }

  open(options: SerialOptions = FAST): SerialPort {
    return openSerial(this.reactor, this.path, options);
  }

  /** The modes of the terminal, as text. */
  modes(): string {
    const fd = openFile(this.path, "r+");
    const { bytes } = modesOf(fd);
    close(fd);
    return new Uint8Array(bytes.buffer).toHex();
  }

  /** Collects the bytes that the port sends, until it is closed (EIO). */
  collect(reactor: Reactor = this.reactor): number[] {
    const collected: number[] = [];
    const buffer = new Uint8Array(65_536);
    reactor.addReader(this.master, () => {
      try {
        const count = read(this.master, buffer);
        if (count > 0) collected.push(...buffer.subarray(0, count));
      } catch (error) {
        assertEquals((error as SystemError).code, "EIO");
        reactor.removeReader(this.master);
      }
    });
    return collected;
  }

  hangUp(): void {
    if (this.#hasMaster) close(this.master);
    this.#hasMaster = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    await this.reactor[Symbol.asyncDispose]();
  }
}

function modesOf(fd: number): Termios {
  const termios = new Termios(terminalOf("linux"));
  ioctl(fd, terminalOf("linux").TCGETS, termios.bytes);
  return termios;
}

/** Two ports that socat connects, as by a cable. */
class Cable implements AsyncDisposable {
  readonly reactor = new Reactor();
  readonly left: SerialPort;
  readonly right: SerialPort;
  readonly #socat: Program;
  readonly #directory: string;

  private constructor(
    socat: Program,
    directory: string,
    options: SerialOptions,
  ) {
    this.#socat = socat;
    this.#directory = directory;
    this.left = openSerial(this.reactor, `${directory}/left`, options);
    this.right = openSerial(this.reactor, `${directory}/right`, options);
    this.reactor.serve();
  }

  static async connect(options: SerialOptions): Promise<Cable> {
    const directory = await Deno.makeTempDir();
    const ends = ["left", "right"].map((name) =>
      `pty,rawer,link=${directory}/${name}`
    );
    const socat = new Program("socat", ["-d", "-d", ...ends]);
    await socat.until(() => socat.errors.includes("starting data transfer"));
    return new Cable(socat, directory, options);
  }

  unplug(): void {
    this.#socat.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reactor[Symbol.asyncDispose]();
    await this.#socat[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Resolves with the error of `onClose`. */
function closed(port: SerialPort): Promise<Error | undefined> {
  return new Promise((resolve) => port.onClose = resolve);
}

/** Defines a test. If there is a reason to ignore it, the name says so. */
function testSerial(
  name: string,
  body: () => Promise<void>,
  reason: string | undefined = absence,
): void {
  test(reason === undefined ? name : `${name} (ignored: ${reason})`, body, {
    ignore: reason !== undefined,
  });
}

function onLinux(
  name: string,
  body: (stage: Stage) => Promise<void> | void,
): void {
  testSerial(name, async () => {
    await using stage = new Stage();
    await body(stage);
  });
}

function onCable(
  name: string,
  options: SerialOptions,
  body: (cable: Cable) => Promise<void>,
): void {
  testSerial(name, async () => {
    await using cable = await Cable.connect(options);
    await body(cable);
  }, noSocat);
}

for (const baudRate of [115_200, 250_000]) {
  onCable(
    `openSerial(): all bytes pass unchanged in both directions at ${baudRate} 8N1`,
    { baudRate },
    async ({ left, right }) => {
      assertEquals(modesOf(left.fd).rate, baudRate);
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      for (const [from, to] of [[left, right], [right, left]] as const) {
        const received: number[] = [];
        to.onData = (chunk) => received.push(...chunk);
        from.write(all);
        await eventually(() => received.length >= 256, "256 bytes");
        assertEquals(received, [...all]);
      }
    },
  );
}

onCable("SerialPort: 20,000 frames arrive in order", {
  baudRate: 115_200,
  bufferSize: 4096,
}, async ({ left, right }) => {
  const FRAMES = 20_000, FRAME_BYTES = 16;
  let sent = 0, received = 0, rest = "", isInOrder = true, waits = 0;
  const frame = (number: number): string =>
    `${number}`.padStart(FRAME_BYTES - 1) + "\n";
  const send = (): void => {
    while (sent < FRAMES) {
      if (!left.write(frame(sent++))) return void waits++;
    }
  };
  left.onDrain = send;
  right.onData = (chunk) => {
    const text = rest + new TextDecoder().decode(chunk);
    const whole = text.length - text.length % FRAME_BYTES;
    for (let at = 0; at < whole; at += FRAME_BYTES) {
      isInOrder &&= text.slice(at, at + FRAME_BYTES) === frame(received++);
    }
    rest = text.slice(whole);
  };
  send();
  await eventually(() => received >= FRAMES, `${FRAMES} frames`);
  assert(isInOrder);
  assertEquals([received, rest], [FRAMES, ""]);
  assert(waits > 0, "the queue was never full");
});

onCable(
  "SerialPort: an unplugged device is an end of file",
  FAST,
  async (cable) => {
    const { left } = cable;
    const end = Promise.withResolvers<void>();
    left.onEnd = () => end.resolve();
    left.onData = () => {};
    cable.unplug();
    await end.promise;
    assertEquals(left.closed, false);
  },
);

onCable("SerialPort: a write after the end is EIO", FAST, async (cable) => {
  const { left } = cable;
  const end = Promise.withResolvers<void>();
  left.onEnd = () => end.resolve();
  left.onData = () => {};
  cable.unplug();
  await end.promise;
  const error = closed(left);
  left.write("late");
  assertEquals((await error as SystemError).code, "EIO");
});

onCable(
  "SerialPort: without onEnd an unplugged device closes the port",
  FAST,
  async (cable) => {
    cable.left.onData = () => {};
    const error = closed(cable.left);
    cable.unplug();
    assertEquals(await error, undefined);
  },
);

onCable(
  "SerialPort: bytes that were written before close() arrive",
  FAST,
  async ({ left, right }) => {
    let received = 0;
    right.onData = (chunk) => received += chunk.length;
    left.write(new Uint8Array(300_000));
    const error = closed(left);
    left.close();
    assertEquals(await error, undefined);
    await eventually(() => received >= 300_000, "300,000 bytes");
  },
);

onCable(
  "SerialPort: works as Web Streams, as in Web Serial",
  FAST,
  async ({ left, right }) => {
    const texts = ReadableStream.from(["one\n", "two\n", "three\n"]);
    const written = texts.pipeThrough(new TextEncoderStream())
      .pipeTo(left.writable, { preventClose: true });
    let text = "";
    for await (const chunk of right.readable) {
      text += new TextDecoder().decode(chunk);
      if (text.endsWith("three\n")) break;
    }
    await written;
    assertEquals(text, "one\ntwo\nthree\n");
    assertEquals([left.closed, right.closed], [false, true]);
  },
);

onLinux("openSerial(): a missing device is NotFound", ({ reactor }) => {
  assertThrows(
    () => openSerial(reactor, "/dev/ttyNowhere", FAST),
    Deno.errors.NotFound,
    "open '/dev/ttyNowhere'",
  );
});

onLinux(
  "openSerial(): a file that is no terminal is ENOTTY, with its name",
  ({ reactor }) => {
    const error = assertThrows(
      () => openSerial(reactor, "/dev/null", FAST),
      Error,
      "ioctl TCGETS '/dev/null'",
    ) as SystemError;
    assertEquals([error.code, error.syscall], ["ENOTTY", "ioctl"]);
  },
);

onLinux(
  "openSerial(): an open port is Busy, and stays as it is",
  async (stage) => {
    const port = stage.open({ baudRate: 250_000 });
    const error = assertThrows(() => stage.open(), Deno.errors.Busy);
    assertEquals((error as unknown as SystemError).code, "EBUSY");
    assertEquals(modesOf(port.fd).rate, 250_000);
    const text = Promise.withResolvers<string>();
    port.onData = (chunk) => text.resolve(new TextDecoder().decode(chunk));
    write(stage.master, bytesOf("still"));
    assertEquals(await text.promise, "still");
  },
);

onLinux("openSerial(): a closed port can be opened again", (stage) => {
  stage.open().close();
  stage.open().close();
});

onLinux("openSerial(): the port is exclusive until it closes", (stage) => {
  const isExclusive = (): boolean => {
    const flag = new Int32Array(1);
    const fd = openFile(stage.path, "r+");
    ioctl(fd, TIOCGEXCL, flag);
    close(fd);
    return flag[0] === 1;
  };
  const port = stage.open();
  assertEquals(isExclusive(), true);
  port.close();
  assertEquals(isExclusive(), false);
});

onLinux(
  "openSerial(): an option that the device ignores is NotSupported",
  (stage) => {
    const before = stage.modes();
    assertThrows(
      () => stage.open({ baudRate: 9600, dataBits: 7, parity: "even" }),
      Deno.errors.NotSupported,
      `Device '${stage.path}' does not support dataBits 7`,
    );
    assertEquals(stage.modes(), before);
  },
);

onLinux(
  "openSerial(): a wrong option is a TypeError before anything is opened",
  ({ reactor }) => {
    assertThrows(
      () => openSerial(reactor, "/dev/ttyNowhere", { baudRate: -1 }),
      TypeError,
      "Cannot use -1 as baudRate",
    );
  },
);

onLinux("openSerial(): a closed reactor is BadResource", async (stage) => {
  await stage.reactor[Symbol.asyncDispose]();
  assertThrows(() => stage.open(), Deno.errors.BadResource);
});

const endings: [name: string, end: (port: SerialPort, stage: Stage) => void][] =
  [
    ["close()", (port) => port.close()],
    ["abort()", (port) => port.abort()],
    ["the end of the reactor", (_, { reactor }) => reactor.close()],
  ];

for (const [name, end] of endings) {
  onLinux(`SerialPort: ${name} leaves the terminal as it was`, (stage) => {
    const before = stage.modes();
    const port = stage.open({ baudRate: 250_000, stopBits: 2 });
    assert(stage.modes() !== before);
    end(port, stage);
    assertEquals(stage.modes(), before);
  });
}

onLinux(
  "SerialPort: no bytes are echoed, and none is a signal or a line",
  async (stage) => {
    const port = stage.open();
    const received: number[] = [];
    port.onData = (chunk) => received.push(...chunk);
    const special = Uint8Array.of(3, 4, 10, 13, 17, 19, 26, 28, 127, 255);
    write(stage.master, special);
    await eventually(() => received.length >= special.length, "all bytes");
    assertEquals(received, [...special]);
    const sent = stage.collect();
    port.write("\n");
    await eventually(() => sent.length > 0, "a byte");
    assertEquals(sent, [10]);
  },
);

onLinux(
  "SerialPort.drain(): waits for the queue, and resolves when it is sent",
  async (stage) => {
    const port = stage.open();
    port.write(new Uint8Array(300_000));
    let isDrained = false;
    const drained = port.drain().then(() => isDrained = true);
    await stage.reactor.writable(stage.master);
    assert(port.bufferedAmount > 0);
    assertEquals(isDrained, false);
    const sent = stage.collect();
    await drained;
    assertEquals(port.bufferedAmount, 0);
    await eventually(() => sent.length >= 300_000, "300,000 bytes");
  },
);

onLinux(
  "SerialPort.drain(): an abort rejects it with Interrupted",
  async (stage) => {
    const port = stage.open();
    port.write(new Uint8Array(300_000));
    const drained = port.drain();
    port.abort();
    await assertRejects(() => drained, Deno.errors.Interrupted);
    await assertRejects(() => port.drain(), Deno.errors.Interrupted);
  },
);

onLinux(
  "SerialPort.drain(): the error of an abort rejects it",
  async (stage) => {
    const port = stage.open();
    port.write(new Uint8Array(300_000));
    const drained = port.drain();
    port.abort(new RangeError("too slow"));
    await assertRejects(() => drained, RangeError, "too slow");
  },
);

onLinux(
  "SerialPort.drain(): without serve() it is NotSupported",
  async (stage) => {
    using idle = new Reactor();
    const port = openSerial(idle, stage.path, FAST);
    await assertRejects(() => port.drain(), Deno.errors.NotSupported);
  },
);

onLinux(
  "SerialPort.close(): waits until the device has taken all",
  async (stage) => {
    const port = stage.open();
    port.write(new Uint8Array(300_000));
    const error = closed(port);
    const drained = port.drain();
    port.close();
    assertEquals(port.closed, false);
    const sent = stage.collect();
    assertEquals(await error, undefined);
    await drained;
    await eventually(() => sent.length >= 300_000, "300,000 bytes");
  },
);

onLinux("SerialPort.close(): works during run(), without promises", (stage) => {
  using reactor = new Reactor();
  const port = openSerial(reactor, stage.path, FAST);
  const sent = stage.collect(reactor);
  port.write(new Uint8Array(50_000));
  port.close();
  reactor.run();
  assertEquals([port.closed, sent.length], [true, 50_000]);
});

onLinux(
  "SerialPort.unref(): lets run() return although the device takes nothing",
  (stage) => {
    using reactor = new Reactor();
    const port = openSerial(reactor, stage.path, FAST);
    port.write(new Uint8Array(300_000));
    port.unref();
    port.close();
    reactor.run();
    assertEquals(port.closed, false);
  },
);

onLinux(
  "SerialPort.abort(): closes at once, although the device takes nothing",
  (stage) => {
    const port = stage.open();
    port.write(new Uint8Array(300_000));
    port.close();
    assertEquals(port.closed, false);
    port.abort();
    assertEquals([port.closed, port.fd], [true, -1]);
  },
);

onLinux(
  "SerialPort.flush(): discards written bytes, and onDrain is called",
  async (stage) => {
    const port = stage.open();
    const drained = new Promise<void>((resolve) =>
      port.onDrain = () => resolve()
    );
    assertEquals(port.write(new Uint8Array(300_000)), false);
    port.flush("output");
    assertEquals(port.bufferedAmount, 0);
    await drained;
    port.write("after");
    const sent = stage.collect();
    const last = (): string => String.fromCharCode(...sent.slice(-5));
    await eventually(() => last() === "after", "the last bytes");
    assert(sent.length < 300_000, `${sent.length} bytes`);
  },
);

onLinux(
  "SerialPort.flush(): a waiting write of writable resolves, and the port stays open",
  async (stage) => {
    const port = stage.open();
    const writer = port.writable.getWriter();
    const waiting = writer.write(new Uint8Array(200_000));
    await eventually(() => port.bufferedAmount > 0, "a full device");
    port.flush("output");
    await waiting;
    const collected = stage.collect();
    await writer.write(bytesOf("next"));
    const last = (): string => String.fromCharCode(...collected.slice(-4));
    await eventually(() => last() === "next", "the last bytes");
    port.abort();
  },
);

onLinux(
  "SerialPort.flush(): discards received bytes that were not read",
  async (stage) => {
    const port = stage.open();
    write(stage.master, bytesOf("before"));
    await stage.reactor.readable(port.fd);
    port.flush("input");
    const text = Promise.withResolvers<string>();
    port.onData = (chunk) => text.resolve(new TextDecoder().decode(chunk));
    write(stage.master, bytesOf("after"));
    assertEquals(await text.promise, "after");
  },
);

onLinux("SerialPort.flush(): an unknown buffer is a TypeError", (stage) => {
  const port = stage.open();
  assertThrows(
    () => port.flush("in" as "input"),
    TypeError,
    'Cannot flush "in"',
  );
});

onLinux(
  "SerialPort.getSignals(): a pseudoterminal has no modem lines: ENOTTY",
  (stage) => {
    const error = assertThrows(
      () => stage.open().getSignals(),
      Error,
      `ioctl TIOCMGET '${stage.path}'`,
    ) as SystemError;
    assertEquals(error.code, "ENOTTY");
  },
);

onLinux(
  "SerialPort.setSignals(): a break is no bytes, and the port continues",
  async (stage) => {
    const port = stage.open();
    port.setSignals({ break: true });
    port.setSignals({ break: false });
    const sent = stage.collect();
    port.write("after");
    await eventually(() => sent.length >= 5, "five bytes");
    assertEquals(String.fromCharCode(...sent), "after");
  },
);

onLinux("SerialPort: a closed port is BadResource", (stage) => {
  const port = stage.open();
  port.close();
  const calls = [
    () => port.getSignals(),
    () => port.setSignals({ break: true }),
    () => port.flush(),
  ];
  for (const call of calls) {
    assertThrows(call, Deno.errors.BadResource, `'${stage.path}' is closed`);
  }
});

onLinux("SerialPort: a hang-up during drain() rejects it", async (stage) => {
  const port = stage.open();
  const error = closed(port);
  port.write(new Uint8Array(300_000));
  const drained = port.drain();
  stage.hangUp();
  const reason = await drained.catch((error) => error);
  assertInstanceOf(reason, Error);
  assertEquals(reason, await error);
});

onLinux(
  "SerialPort: a program that exits without close() leaves the terminal as it was",
  async (stage) => {
    const before = stage.modes();
    const source = `
      import { openSerial } from "POLLUX/adapters/serial/mod.ts";
      import { Reactor } from "POLLUX/reactor/mod.ts";
      openSerial(new Reactor(), "${stage.path}", { baudRate: 250000 });
      Deno.exit(7);
    `;
    const { code, stderr } = await runDeno(source, [ffiPermissionFlag()]);
    assertEquals({ code, stderr }, { code: 7, stderr: "" });
    assertEquals(stage.modes(), before);
  },
);

testSerial(
  "openSerial(): works with the permission for the C library alone",
  async () => {
    const source = `
      import { openSerial } from "POLLUX/adapters/serial/mod.ts";
      import { ioctl } from "POLLUX/backends/ffi/calls.ts";
      import { close, openFile, read } from "POLLUX/backends/ffi/mod.ts";
      import { Reactor } from "POLLUX/reactor/mod.ts";
      await using reactor = new Reactor();
      reactor.serve();
      const master = openFile("/dev/ptmx", "r+");
      ioctl(master, ${TIOCSPTLCK}, new Int32Array(1));
      const number = new Int32Array(1);
      ioctl(master, ${TIOCGPTN}, number);
      const options = { baudRate: 250000 };
      const port = openSerial(reactor, "/dev/pts/" + number[0], options);
      port.write("hello");
      await port.drain();
      await reactor.readable(master);
      port.flush("input");
      port.close();
      console.log(read(master, new Uint8Array(16)), port.closed);
      close(master);
    `;
    const result = await runDeno(source, [ffiPermissionFlag()]);
    assertEquals(result, { code: 0, stdout: "5 true\n", stderr: "" });
  },
);
