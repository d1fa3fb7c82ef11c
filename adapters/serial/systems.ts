/**
 * `struct termios` and the requests of terminals on each system. The layouts are in
 * this file by hand, because only serial ports need them.
 *
 * Sources: Linux `asm-generic/termbits.h`, `asm-generic/ioctls.h`; XNU, FreeBSD and
 * NetBSD `sys/termios.h`, `sys/ttycom.h`; macOS `IOKit/serial/ioss.h`.
 *
 * @module
 */

/** The offsets of `struct termios`, of which the four flag words are the first. */
export interface TermiosLayout {
  readonly size: number;
  /** The bytes of a flag word. The upper half of eight is 0. */
  readonly wordBytes: 4 | 8;
  readonly controlCharacters: number;
  readonly inputSpeed: number;
  readonly outputSpeed: number;
}

/** The numbers of one system, by their names in C. */
export interface Terminal {
  readonly termios: TermiosLayout;

  // c_iflag
  readonly INPCK: number;
  readonly IXON: number;
  readonly IXOFF: number;

  // c_cflag
  /** The bits that say where the rate is; 0 where it is in the speeds alone. */
  readonly CBAUD: number;
  /** The rate is in the speeds. */
  readonly BOTHER: number;
  readonly CSIZE: number;
  /** The bits of a byte, less 5, are a multiple of this. */
  readonly CS6: number;
  readonly CSTOPB: number;
  readonly CREAD: number;
  readonly PARENB: number;
  readonly PARODD: number;
  /** Parity bits that are always the same. */
  readonly CMSPAR: number;
  readonly CLOCAL: number;
  readonly CRTSCTS: number;

  // Indexes in c_cc
  readonly VMIN: number;
  readonly VTIME: number;
  readonly VSTART: number;
  readonly VSTOP: number;

  // Requests of ioctl(2)
  /** TCGETS2 on Linux, TIOCGETA elsewhere. */
  readonly TCGETS: number;
  readonly TCSETS: number;
  /** macOS: sets a rate that TIOCSETA refuses. */
  readonly IOSSIOSPEED: number | null;
  readonly TIOCEXCL: number;
  readonly TIOCNXCL: number;
  readonly TIOCMGET: number;
  readonly TIOCMBIS: number;
  readonly TIOCMBIC: number;
  readonly TIOCSBRK: number;
  readonly TIOCCBRK: number;
  readonly TIOCOUTQ: number;
  /** Linux: whether the transmitter is empty, which TIOCOUTQ does not count. */
  readonly TIOCSERGETLSR: number | null;

  // Arguments of tcflush(3)
  readonly TCIFLUSH: number;
  readonly TCOFLUSH: number;
  readonly TCIOFLUSH: number;
}

/** The modem lines of `<sys/ttycom.h>` and `<asm/termios.h>`, alike on all systems. */
export const TIOCM = {
  DTR: 0x2,
  RTS: 0x4,
  CTS: 0x20,
  CAR: 0x40,
  RNG: 0x80,
  DSR: 0x100,
} as const;

/** TIOCSER_TEMT of `<linux/serial.h>`: the transmitter is empty. */
export const TIOCSER_TEMT = 1;

const linux: Terminal = {
  // struct termios2
  termios: {
    size: 44,
    wordBytes: 4,
    controlCharacters: 17,
    inputSpeed: 36,
    outputSpeed: 40,
  },
  INPCK: 0x10,
  IXON: 0x400,
  IXOFF: 0x1000,
  CBAUD: 0x100f_100f, // CBAUD | CIBAUD: without CIBAUD the input rate is the same
  BOTHER: 0x1000,
  CSIZE: 0x30,
  CS6: 0x10,
  CSTOPB: 0x40,
  CREAD: 0x80,
  PARENB: 0x100,
  PARODD: 0x200,
  CMSPAR: 0x4000_0000,
  CLOCAL: 0x800,
  CRTSCTS: 0x8000_0000,
  VMIN: 6,
  VTIME: 5,
  VSTART: 8,
  VSTOP: 9,
  TCGETS: 0x802c_542a,
  TCSETS: 0x402c_542b,
  IOSSIOSPEED: null,
  TIOCEXCL: 0x540c,
  TIOCNXCL: 0x540d,
  TIOCMGET: 0x5415,
  TIOCMBIS: 0x5416,
  TIOCMBIC: 0x5417,
  TIOCSBRK: 0x5427,
  TIOCCBRK: 0x5428,
  TIOCOUTQ: 0x5411,
  TIOCSERGETLSR: 0x5459,
  TCIFLUSH: 0,
  TCOFLUSH: 1,
  TCIOFLUSH: 2,
};

const freebsd: Terminal = {
  termios: {
    size: 44,
    wordBytes: 4,
    controlCharacters: 16,
    inputSpeed: 36,
    outputSpeed: 40,
  },
  INPCK: 0x10,
  IXON: 0x200,
  IXOFF: 0x400,
  CBAUD: 0,
  BOTHER: 0,
  CSIZE: 0x300,
  CS6: 0x100,
  CSTOPB: 0x400,
  CREAD: 0x800,
  PARENB: 0x1000,
  PARODD: 0x2000,
  CMSPAR: 0,
  CLOCAL: 0x8000,
  CRTSCTS: 0x3_0000, // CCTS_OFLOW | CRTS_IFLOW
  VMIN: 16,
  VTIME: 17,
  VSTART: 12,
  VSTOP: 13,
  TCGETS: 0x402c_7413,
  TCSETS: 0x802c_7414,
  IOSSIOSPEED: null,
  TIOCEXCL: 0x2000_740d,
  TIOCNXCL: 0x2000_740e,
  TIOCMGET: 0x4004_746a,
  TIOCMBIS: 0x8004_746c,
  TIOCMBIC: 0x8004_746b,
  TIOCSBRK: 0x2000_747b,
  TIOCCBRK: 0x2000_747a,
  TIOCOUTQ: 0x4004_7473,
  TIOCSERGETLSR: null,
  TCIFLUSH: 1,
  TCOFLUSH: 2,
  TCIOFLUSH: 3,
};

const netbsd: Terminal = { ...freebsd, CRTSCTS: 0x1_0000 };

/** From the headers alone: it was not tested. */
const darwin: Terminal = {
  ...freebsd,
  // tcflag_t and speed_t are unsigned long.
  termios: {
    size: 72,
    wordBytes: 8,
    controlCharacters: 32,
    inputSpeed: 56,
    outputSpeed: 64,
  },
  TCGETS: 0x4048_7413,
  TCSETS: 0x8048_7414,
  IOSSIOSPEED: 0x8008_5402,
};

const terminals: Readonly<Record<string, Terminal>> = {
  linux,
  android: linux,
  darwin,
  freebsd,
  netbsd,
};

/**
 * The numbers of a system.
 *
 * @param os Its name in `Deno.build`
 * @throws {Deno.errors.NotSupported} with the name, if it has no table
 */
export function terminalOf(os: string): Terminal {
  const terminal = terminals[os];
  if (terminal !== undefined) return terminal;
  throw new Deno.errors.NotSupported(
    `Serial ports of ${os} are not supported, only those of ${
      Object.keys(terminals).join(", ")
    }`,
  );
}
