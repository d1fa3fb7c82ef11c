/**
 * Guests that pass anything: no call may hurt the host, reach a descriptor that
 * was not given, or touch memory that is not the guest's.
 */

import { assert, assertEquals } from "@std/assert";
import { type Socket, socketPair } from "../../../backends/ffi/mod.ts";
import { WasiHost } from "../../../adapters/wasi/mod.ts";
import { wasmEdge } from "../../../adapters/wasmedge/mod.ts";
import { emulated, type Random, test, withSeed } from "../../util.ts";

/** How many calls a program makes; an emulator needs a hundred times the time. */
const ROUNDS = emulated ? 300 : 4000;
const MEMORY_BYTES = 65536;

/** What each parameter of a call is; the rest of the call is words. */
const CALLS: Readonly<Record<string, string>> = {
  poll_oneoff: "ppcp",
  fd_read: "fpcp",
  fd_write: "fpcp",
  fd_close: "f",
  fd_fdstat_get: "fp",
  fd_fdstat_set_flags: "fw",
  fd_fdstat_set_rights: "fll",
  fd_filestat_get: "fp",
  fd_prestat_get: "fp",
  fd_prestat_dir_name: "fpc",
  fd_pread: "fpclp",
  fd_pwrite: "fpclp",
  fd_readdir: "fpclp",
  fd_renumber: "ff",
  fd_seek: "flwp",
  fd_tell: "fp",
  path_filestat_get: "fwpcp",
  path_open: "fwpcwllwp",
  path_readlink: "fpcpcp",
  path_rename: "fpcfpc",
  path_symlink: "pcfpc",
  path_unlink_file: "fpc",
  sock_accept: "fwp",
  sock_recv: "fpcwpp",
  sock_send: "fpcwp",
  sock_shutdown: "fw",
  sock_open: "wwp",
  sock_bind: "fpw",
  sock_listen: "fw",
  sock_connect: "fpw",
  sock_send_to: "fpcpwwp",
  sock_recv_from: "fpcpwppp",
  sock_getsockopt: "fwwpp",
  sock_setsockopt: "fwwpc",
  sock_getlocaladdr: "fpp",
  sock_getpeeraddr: "fppp",
  sock_getaddrinfo: "pcpcppcp",
  clock_time_get: "wlp",
  random_get: "pc",
  args_get: "pp",
  environ_sizes_get: "pp",
};

const EDGES = [0, 1, 7, 64, 1024, MEMORY_BYTES - 4, MEMORY_BYTES, -1, -8];

/** A number of the kind that a letter stands for, more often sensible than not. */
function argument(random: Random, kind: string): number | bigint {
  switch (kind) {
    case "f":
      return random.below(4) > 0 ? random.below(8) : chaos(random);
    case "p":
      return random.below(3) > 0 ? random.below(MEMORY_BYTES) : edge(random);
    case "c":
      return random.below(3) > 0 ? random.below(6) : edge(random);
    case "l":
      return BigInt(chaos(random)) * BigInt(random.below(3));
    default:
      return random.below(3) > 0 ? random.below(5) : chaos(random);
  }
}

function edge(random: Random): number {
  return random.below(2) === 0 ? random.pick(EDGES) : chaos(random);
}

/** Any word, with its sign, as WebAssembly hands it over. */
function chaos(random: Random): number {
  return random.below(2 ** 32) | 0;
}

/** Memory in which pointers lead somewhere as often as not. */
function fillMemory(random: Random, view: DataView): void {
  for (let at = 0; at < MEMORY_BYTES; at += 4) {
    const word = random.below(4) === 0
      ? chaos(random)
      : random.below(random.pick([4, 8, 256, MEMORY_BYTES]));
    view.setUint32(at, word >>> 0, true);
  }
}

/** Two connected sockets that the guest is not given. */
interface Canary {
  readonly pair: [Socket, Socket];
}

/** Fails if anything was read from, written to, or done to the sockets. */
function assertUntouched({ pair: [left, right] }: Canary): void {
  const buffer = new Uint8Array(8);
  for (const socket of [left, right]) {
    assertEquals(socket.recv(buffer), 5, "a byte of the host was read");
    assertEquals(socket.recv(buffer), -1, "a byte was written to the host");
  }
  const greeting = new TextEncoder().encode("still");
  left.send(greeting);
  right.send(greeting);
}

test(
  "a guest that passes anything gets errors, and reaches nothing",
  withSeed((random) => {
    const canary: Canary = { pair: socketPair() };
    const greeting = new TextEncoder().encode("still");
    for (const socket of canary.pair) socket.send(greeting);
    const directory = Deno.makeTempDirSync();
    const outcomes = new Map<number, number>();
    for (let host = 0; host < 8; host++) {
      const pairs = [socketPair(), socketPair("datagram")];
      for (const pair of pairs) pair[1].send(greeting);
      fuzzHost(random, pairs.map((pair) => pair[0]), directory, outcomes);
      assertUntouched(canary);
      for (const socket of pairs.flat()) socket.close();
    }
    for (const socket of canary.pair) socket.close();
    Deno.removeSync(directory, { recursive: true });
    // Chance that only ever hits one wall tests nothing.
    for (const errno of [0, 8, 21, 28]) {
      assert((outcomes.get(errno) ?? 0) > 20, `too few results ${errno}`);
    }
  }),
);

/** One host, and a program that calls as chance has it. */
function fuzzHost(
  random: Random,
  sockets: Socket[],
  directory: string,
  outcomes: Map<number, number>,
): void {
  const host = new WasiHost({
    preopens: { "/": directory },
    sockets,
    stdin: sockets[0]!,
    stdout: sockets[0]!,
    stderr: sockets[0]!,
    extensions: [wasmEdge({ allow: ["127.0.0.1:1"] })],
  });
  // Guard bytes behind the memory cannot be had: a view that reached beyond would throw.
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const imports = host.imports["wasi_snapshot_preview1"] as Record<
    string,
    (...args: unknown[]) => number
  >;
  const names = Object.keys(CALLS);
  const view = new DataView(memory.buffer);
  const program = (): void => {
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 50 === 0) fillMemory(random, view);
      const name = random.pick(names);
      const args = [...CALLS[name]!].map((kind) => argument(random, kind));
      if (name === "poll_oneoff") addClock(args, view);
      // Nothing may wait: every descriptor is told not to, and every poll has a clock.
      for (let fd = 0; fd < 8; fd++) imports.fd_fdstat_set_flags!(fd, 4);
      const errno = imports[name]!(...args);
      assert(Number.isInteger(errno) && errno >= 0 && errno < 77, name);
      outcomes.set(errno, (outcomes.get(errno) ?? 0) + 1);
    }
  };
  host.start({ exports: { memory, _start: program } });
}

/** Makes the first subscription one to a clock whose time has come. */
function addClock(args: readonly (number | bigint)[], view: DataView): void {
  const start = Number(args[0]) >>> 0;
  if (start + 48 > MEMORY_BYTES) return;
  for (let offset = 8; offset < 48; offset++) view.setUint8(start + offset, 0);
}

test("a pointer at the very end of the memory is good, one beyond is EFAULT", () => {
  const host = new WasiHost();
  const memory = new WebAssembly.Memory({ initial: 1 });
  const imports = host.imports["wasi_snapshot_preview1"] as Record<
    string,
    (...args: unknown[]) => number
  >;
  host.start({
    exports: {
      memory,
      _start(): void {
        assertEquals(imports.fd_fdstat_get!(0, MEMORY_BYTES - 24), 0);
        assertEquals(imports.fd_fdstat_get!(0, MEMORY_BYTES - 23), 21);
        assertEquals(imports.fd_fdstat_get!(0, -24), 21);
        assertEquals(imports.fd_fdstat_get!(0, 0x7fff_ffff), 21);
        assertEquals(imports.poll_oneoff!(0, 0, -1, 0), 21);
        assertEquals(imports.poll_oneoff!(0, 0, 0x5555_5556, 0), 21);
        assertEquals(imports.fd_write!(1, 0, 2000, 0), 28);
        assertEquals(imports.fd_write!(1, 0, -1, 0), 28);
      },
    },
  });
});
