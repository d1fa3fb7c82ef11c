/**
 * Two guests: one that is assembled here, and one compiled from C where there is a
 * compiler.
 */

import { build } from "../../../examples/wasi_echo/build.ts";
import { assemble, op } from "./assembler.ts";

/** The addresses of the guest's variables and of its buffer. */
const FD = 0, COUNT = 4, FLAGS = 8, IOVEC = 16, BUFFER = 1024;
const BUFFER_BYTES = 32768;

/**
 * An echo server for one connection after the other, with blocking calls:
 * `sock_accept`, `sock_recv`, `sock_send`, `fd_close`.
 */
export function assembledEcho(): WebAssembly.Module {
  const [ACCEPT, RECV, SEND, CLOSE] = [0, 1, 2, 3];
  const { constant, call, load, store, block, loop, branch, branchIf } = op;
  const word = (address: number): number[] => [...constant(address), ...load];
  const set = (address: number, ...value: number[]): number[] => [
    ...constant(address),
    ...value,
    ...store,
  ];
  return assemble(
    [["sock_accept", 3], ["sock_recv", 6], ["sock_send", 5], ["fd_close", 1]],
    block(loop(
      set(IOVEC, ...constant(BUFFER)),
      // sock_accept(3, 0, &fd), and out of everything if that fails
      [...constant(3), ...constant(0), ...constant(FD), ...call(ACCEPT)],
      branchIf(1),
      block(loop(
        set(IOVEC + 4, ...constant(BUFFER_BYTES)),
        // sock_recv(fd, iovec, 1, 0, &count, &flags)
        [...word(FD), ...constant(IOVEC), ...constant(1), ...constant(0)],
        [...constant(COUNT), ...constant(FLAGS), ...call(RECV)],
        [...word(COUNT), ...op.isZero, ...op.or],
        branchIf(1),
        set(IOVEC + 4, ...word(COUNT)),
        // sock_send(fd, iovec, 1, 0, &count)
        [...word(FD), ...constant(IOVEC), ...constant(1), ...constant(0)],
        [...constant(COUNT), ...call(SEND)],
        branchIf(1),
        branch(0),
      )),
      [...word(FD), ...call(CLOSE), ...op.drop],
      branch(0),
    )),
  );
}

/** The echo server in C, or the reason why it cannot be compiled. */
export async function compiledEcho(): Promise<WebAssembly.Module | string> {
  const output = await Deno.makeTempFile({ suffix: ".wasm" });
  try {
    const result = await build(output);
    if (result !== true) return result;
    return await WebAssembly.compile(await Deno.readFile(output));
  } finally {
    await Deno.remove(output);
  }
}
