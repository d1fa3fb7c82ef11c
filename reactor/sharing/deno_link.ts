/**
 * A pipe that Deno's own loop reads: a byte written to it is found only when
 * Deno asks the system, together with everything else that Deno waits for.
 *
 * Deno reads a pipe by itself through Node's handle for one. It needs no
 * permission and nothing outside of the process: neither loopback nor a port.
 *
 * @module
 */

import { close, pipe, write } from "../../backends/ffi/descriptor.ts";

const ONE_BYTE = new Uint8Array(new ArrayBuffer(1));

/** Node's handle for a pipe, as far as it is used here. */
interface PipeHandle {
  onread: ((chunk: ArrayBuffer | undefined) => void) | null;
  open(fd: number): number;
  readStart(): number;
  ref(): void;
  unref(): void;
  close(callback: () => void): void;
}

interface PipeWrap {
  readonly Pipe: new (type: number) => PipeHandle;
  readonly constants: { readonly SOCKET: number };
}

/** One end in Deno's hands. */
export class DenoLink {
  /** The end that Deno reads, for as long as the link is there. */
  readonly fd: number;
  readonly #writer: number;
  readonly #handle: PipeHandle;
  #closing: Promise<void> | null = null;

  private constructor(
    handle: PipeHandle,
    fd: number,
    writer: number,
    onRead: () => void,
    onEnd: () => void,
  ) {
    this.#handle = handle;
    this.fd = fd;
    this.#writer = writer;
    handle.onread = (chunk) => {
      if (chunk === undefined && this.#closing === null) onEnd();
      else onRead();
    };
    handle.readStart();
  }

  /**
   * Makes a pipe, and has Deno read it. Node's part of Deno is loaded only now,
   * which holds the thread for about 10 ms, unless the program uses it anyway.
   *
   * @param onRead Called when Deno has read what `signal` has written
   * @param onEnd Called when the pipe has come to its end: the link is of no use then
   * @returns null where Deno lacks such a handle
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  static create(onRead: () => void, onEnd: () => void): DenoLink | null {
    const wrap = pipeWrap();
    if (wrap === null) return null;
    const [reader, writer] = pipe();
    const handle = new wrap.Pipe(wrap.constants.SOCKET);
    if (handle.open(reader) === 0) {
      return new DenoLink(handle, reader, writer, onRead, onEnd);
    }
    close(reader);
    close(writer);
    return null;
  }

  /** Makes Deno call back once it has asked the system. */
  signal(): void {
    // A full pipe has it call back as well.
    write(this.#writer, ONE_BYTE);
  }

  /** Whether the link keeps the process open. */
  hold(held: boolean): void {
    if (held) this.#handle.ref();
    else this.#handle.unref();
  }

  /** Closes both ends; resolves when Deno has let go of its own. */
  close(): Promise<void> {
    return this.#closing ??= new Promise((resolve) => {
      this.#handle.ref();
      this.#handle.close(resolve);
      close(this.#writer);
    });
  }
}

/** Node's binding, which is older than its deprecation and has no other name. */
function pipeWrap(): PipeWrap | null {
  const { process } = globalThis as unknown as {
    process?: { binding?(name: string): PipeWrap };
  };
  try {
    return process?.binding?.("pipe_wrap") ?? null;
  } catch {
    return null;
  }
}
