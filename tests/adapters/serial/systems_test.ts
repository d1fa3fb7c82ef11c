/**
 * The numbers of serial ports, and the settings that are made of them.
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  type SerialOptions,
  serialSettings,
} from "../../../adapters/serial/options.ts";
import {
  checkSignals,
  inputSignals,
  linesTo,
} from "../../../adapters/serial/signals.ts";
import {
  type Terminal,
  terminalOf,
  TIOCM,
} from "../../../adapters/serial/systems.ts";
import {
  bitsPerByte,
  ignoredOption,
  needsSpeedRequest,
  Termios,
} from "../../../adapters/serial/termios.ts";
import { printedByC, reason } from "../../backends/ffi/c_compiler.ts";

const linux = terminalOf("linux");
const darwin = terminalOf("darwin");

/** The expressions in C whose values are other than those of the same name. */
const EXPRESSIONS: Readonly<Partial<Record<keyof Terminal, string>>> = {
  CBAUD: "CBAUD | CIBAUD",
  TCGETS: "TCGETS2",
  TCSETS: "TCSETS2",
  CS6: "CS6 - CS5",
};

Deno.test({
  name: `Linux: the C compiler has the same numbers for terminals${reason}`,
  ignore: reason !== "",
  fn: async () => {
    const { termios, IOSSIOSPEED: _, ...numbers } = linux;
    const lines = TIOCM;
    const expected: [name: string, expression: string, value: number][] = [
      ...Object.entries(numbers).map((
        [name, value],
      ): [string, string, number] => [
        name,
        EXPRESSIONS[name as keyof Terminal] ?? name,
        value!,
      ]),
      ...Object.entries(lines).map((
        [name, value],
      ): [string, string, number] => [
        `TIOCM.${name}`,
        `TIOCM_${name}`,
        value,
      ]),
      ["size", "sizeof(struct termios2)", termios.size],
      ["word", "offsetof(struct termios2, c_oflag)", termios.wordBytes],
      ["cc", "offsetof(struct termios2, c_cc)", termios.controlCharacters],
      ["ispeed", "offsetof(struct termios2, c_ispeed)", termios.inputSpeed],
      ["ospeed", "offsetof(struct termios2, c_ospeed)", termios.outputSpeed],
    ];
    assertEquals(
      await printedByC(
        ["asm/termbits.h", "asm/termios.h", "asm/ioctls.h"],
        expected.map((
          [name, expression],
        ) => [name, `(unsigned) (${expression})`]),
      ),
      expected.map(([name, , value]) => `${name} ${value}`).toSorted(),
    );
  },
});

Deno.test("terminalOf(): the requests of every system contain the size of its termios", () => {
  for (const os of ["linux", "darwin", "freebsd", "netbsd"]) {
    const { TCGETS, TCSETS, termios } = terminalOf(os);
    assertEquals((TCGETS >>> 16) & 0x1fff, termios.size, os);
    assertEquals((TCSETS >>> 16) & 0x1fff, termios.size, os);
    assertEquals(termios.outputSpeed + termios.wordBytes, termios.size, os);
  }
});

Deno.test("terminalOf(): a system without a table is NotSupported, with its name", () => {
  assertThrows(
    () => terminalOf("illumos"),
    Deno.errors.NotSupported,
    "Serial ports of illumos are not supported",
  );
});

Deno.test("Termios: the modes are those of stty raw, at the rate of the options", () => {
  const termios = new Termios(linux);
  termios.configure(serialSettings({ baudRate: 250_000, stopBits: 2 }));
  const { bytes } = termios;
  assertEquals(bytes.getUint32(0, true), 0);
  assertEquals(bytes.getUint32(4, true), 0);
  // BOTHER, CS8, CSTOPB, CREAD, CLOCAL
  assertEquals(bytes.getUint32(8, true), 0x1000 | 0x30 | 0x40 | 0x80 | 0x800);
  assertEquals(bytes.getUint32(12, true), 0);
  assertEquals([bytes.getUint8(17 + 6), bytes.getUint8(17 + 5)], [1, 0]);
  assertEquals(bytes.getUint32(36, true), 250_000);
  assertEquals(bytes.getUint32(40, true), 250_000);
});

Deno.test("Termios: bits without a name stay, and the format is replaced", () => {
  const HUPCL = 0x400, CMSPAR = 0x4000_0000, PARODD = 0x200, CRTSCTS = 2 ** 31;
  const termios = new Termios(linux);
  termios.bytes.setUint32(8, HUPCL + CMSPAR + PARODD + CRTSCTS + 0xf, true);
  termios.configure(
    serialSettings({ baudRate: 9600, dataBits: 7, parity: "even" }),
  );
  // HUPCL, BOTHER, CS7, PARENB, CREAD, CLOCAL
  const expected = HUPCL | 0x1000 | 0x20 | 0x100 | 0x80 | 0x800;
  assertEquals(termios.controlModes, expected);
  assertEquals(termios.inputModes, linux.INPCK);
});

Deno.test("Termios: hardware and software flow control have bits of their own", () => {
  const hardware = new Termios(linux);
  hardware.configure(
    serialSettings({ baudRate: 9600, flowControl: "hardware" }),
  );
  assertEquals(hardware.controlModes >>> 31, 1);
  const software = new Termios(linux);
  software.configure(
    serialSettings({ baudRate: 9600, flowControl: "software" }),
  );
  assertEquals(software.inputModes, linux.IXON | linux.IXOFF);
  assertEquals(software.controlModes >>> 31, 0);
});

Deno.test("Termios: on macOS words have eight bytes, and odd rates a request", () => {
  const termios = new Termios(darwin);
  const settings = serialSettings({ baudRate: 250_000, parity: "odd" });
  termios.configure(settings);
  // CS8, CREAD, PARENB, PARODD, CLOCAL
  assertEquals(termios.bytes.getBigUint64(16, true), 0xbb00n);
  assertEquals(termios.bytes.getBigUint64(64, true), 9600n);
  assertEquals(needsSpeedRequest(darwin, settings), true);
  const standard = serialSettings({ baudRate: 115_200 });
  termios.configure(standard);
  assertEquals(termios.rate, 115_200);
  assertEquals(needsSpeedRequest(darwin, standard), false);
});

const ignored: [option: keyof SerialOptions, change: SerialOptions][] = [
  ["dataBits", { baudRate: 9600, dataBits: 7 }],
  ["stopBits", { baudRate: 9600, stopBits: 2 }],
  ["parity", { baudRate: 9600, parity: "odd" }],
  ["flowControl", { baudRate: 9600, flowControl: "hardware" }],
  ["baudRate", { baudRate: 10_000 }],
];

for (const [option, change] of ignored) {
  Deno.test(`ignoredOption(): a device that ignores ${option} is detected`, () => {
    const device = new Termios(linux);
    device.configure(serialSettings({ baudRate: 9600 }));
    assertEquals(ignoredOption(linux, serialSettings(change), device), option);
  });
}

Deno.test("ignoredOption(): a rate within three percent is accepted", () => {
  const device = new Termios(linux);
  device.configure(serialSettings({ baudRate: 115_384 }));
  const settings = serialSettings({ baudRate: 115_200 });
  assertEquals(ignoredOption(linux, settings, device), undefined);
});

Deno.test("bitsPerByte(): counts the start, data, parity and stop bits", () => {
  assertEquals(bitsPerByte(serialSettings({ baudRate: 1 })), 10);
  const options = {
    baudRate: 1,
    dataBits: 7,
    parity: "odd",
    stopBits: 2,
  } as const;
  assertEquals(bitsPerByte(serialSettings(options)), 11);
});

const unusable: [options: object, message: string][] = [
  [{}, "Cannot use undefined as baudRate"],
  [{ baudRate: 0 }, "Cannot use 0 as baudRate"],
  [{ baudRate: 9600.5 }, "Cannot use 9600.5 as baudRate"],
  [{ baudRate: "9600" }, 'Cannot use "9600" as baudRate'],
  [{ baudRate: 2 ** 32 }, "Cannot use 4294967296 as baudRate"],
  [{ baudRate: 9600, dataBits: 9 }, "Cannot use 9 as dataBits"],
  [{ baudRate: 9600, stopBits: 1.5 }, "Cannot use 1.5 as stopBits"],
  [{ baudRate: 9600, parity: "mark" }, 'Cannot use "mark" as parity'],
  [{ baudRate: 9600, flowControl: true }, "Cannot use true as flowControl"],
  [{ baudRate: 9600, bufferSize: 0 }, "Cannot use 0 as bufferSize"],
  [{ baudrate: 9600 }, 'Unknown option "baudrate"; did you mean "baudRate"?'],
];

for (const [options, message] of unusable) {
  Deno.test(`SerialOptions: ${JSON.stringify(options)} is a TypeError`, () => {
    assertThrows(
      () => serialSettings(options as SerialOptions),
      TypeError,
      message,
    );
  });
}

Deno.test("SerialInputSignals: each modem line has its bit", () => {
  const none = inputSignals(TIOCM.DTR | TIOCM.RTS);
  assertEquals(Object.values(none), [false, false, false, false]);
  assertEquals(inputSignals(TIOCM.CAR), { ...none, dataCarrierDetect: true });
  assertEquals(inputSignals(TIOCM.CTS), { ...none, clearToSend: true });
  assertEquals(inputSignals(TIOCM.RNG), { ...none, ringIndicator: true });
  assertEquals(inputSignals(TIOCM.DSR), { ...none, dataSetReady: true });
});

Deno.test("SerialOutputSignals: a line that is not named stays as it is", () => {
  const signals = { dataTerminalReady: false, requestToSend: true };
  assertEquals(linesTo(signals, true), TIOCM.RTS);
  assertEquals(linesTo(signals, false), TIOCM.DTR);
  assertEquals(linesTo({ break: true }, true), 0);
  assertEquals(linesTo({ break: true }, false), 0);
});

Deno.test("SerialOutputSignals: no signals, unknown ones and numbers are TypeErrors", () => {
  for (
    const [signals, message] of [
      [{}, "Cannot set no signals"],
      [{ break: undefined }, "Cannot set no signals"],
      [{ rts: true }, 'Unknown option "rts"'],
      [{ break: 1 }, "Cannot use 1 as break: it must be a boolean"],
    ] as const
  ) {
    assertThrows(() => checkSignals(signals as never), TypeError, message);
  }
});
