/**
 * Guests that pass random arguments. No call may fail in the host, reach a descriptor
 * of the host, or touch memory outside the guest's.
 */

import { assert, assertEquals } from "@std/assert";
import { type Socket, socketPair } from "../../../backends/ffi/mod.ts";
import { WasiHost } from "../../../adapters/wasi/mod.ts";
import { wasmEdge } from "../../../adapters/wasmedge/mod.ts";
import { emulated, type Random, test, withSeed } from "../../util.ts";

/** The number of calls of a program. An emulator takes a hundred times as long. */
const ROUNDS = emulated ? 300 : 4000;
const MEMORY_BYTES = 65536;

/** The kinds of the parameters: fd, pointer, count, long, word. */
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

/** A number of the given kind, valid more often than not. */
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

/** Any signed word, as WebAssembly passes it. */
function chaos(random: Random): number {
  return random.below(2 ** 32) | 0;
}

/** Fills the memory with words, half of which are valid pointers. */
function fillMemory(random: Random, view: DataView): void {
  for (let at = 0; at < MEMORY_BYTES; at += 4) {
    const word = random.below(4) === 0
      ? chaos(random)
      : random.below(random.pick([4, 8, 256, MEMORY_BYTES]));
    view.setUint32(at, word >>> 0, true);
  }
}

/** Two connected sockets that the guest must not reach. */
interface Canary {
  readonly pair: [Socket, Socket];
}

/** Fails if the guest has read from, written to or changed the sockets. */
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
  "WasiHost: random arguments get errors and reach nothing of the host",
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
    // Each of the frequent results must occur.
    for (const errno of [0, 8, 21, 28]) {
      assert((outcomes.get(errno) ?? 0) > 20, `too few results ${errno}`);
    }
  }),
);

/** Runs a program that makes random calls. */
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
  // A view that reached beyond the memory would throw.
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
      // No call may block: every descriptor has NONBLOCK, and every poll a clock.
      for (let fd = 0; fd < 8; fd++) imports.fd_fdstat_set_flags!(fd, 4);
      const errno = imports[name]!(...args);
      assert(Number.isInteger(errno) && errno >= 0 && errno < 77, name);
      outcomes.set(errno, (outcomes.get(errno) ?? 0) + 1);
    }
  };
  host.start({ exports: { memory, _start: program } });
}

/** Makes the first subscription one to an expired clock. */
function addClock(args: readonly (number | bigint)[], view: DataView): void {
  const start = Number(args[0]) >>> 0;
  if (start + 48 > MEMORY_BYTES) return;
  for (let offset = 8; offset < 48; offset++) view.setUint8(start + offset, 0);
}

test("WasiHost: a pointer at the end of memory is valid, and one beyond is EFAULT", () => {
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
