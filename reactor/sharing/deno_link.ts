/**
 * A pipe that Deno's event loop reads. Deno finds a byte in it only when it polls I/O,
 * together with all other pending I/O.
 *
 * Deno reads the pipe natively, through Node's handle for pipes. It needs no permission
 * and nothing outside of the process: neither loopback nor a port.
 *
 * @module
 */

import { close, hasPipes, pipe, write } from "../../backends/ffi/descriptor.ts";

const ONE_BYTE = new Uint8Array(new ArrayBuffer(1));

/** The part of Node's pipe handle that the link uses. */
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

/** A pipe whose reading end Deno owns. */
export class DenoLink {
  /** The end that Deno reads, until the link is closed. */
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
   * Creates a pipe, and passes one end to Deno. It loads Node's part of Deno, which
   * blocks the thread for about 10 ms unless the program has loaded it.
   *
   * @param onRead Called when Deno has read the byte of `signal()`
   * @param onEnd Called at the pipe's end of file: the link is broken
   * @returns null where Deno lacks such a handle
   * @throws {SystemError} `EMFILE`: no descriptors left
   */
  static create(onRead: () => void, onEnd: () => void): DenoLink | null {
    const wrap = hasPipes ? pipeWrap() : null;
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

  /** Makes Deno call `onRead` when it polls I/O. */
  signal(): void {
    // A full pipe is readable, too: EAGAIN is no failure.
    write(this.#writer, ONE_BYTE);
  }

  /** Sets whether the link keeps the process alive. */
  setRef(referenced: boolean): void {
    if (referenced) this.#handle.ref();
    else this.#handle.unref();
  }

  /** Closes both ends; resolves when Deno has closed its own. */
  close(): Promise<void> {
    return this.#closing ??= new Promise((resolve) => {
      this.#handle.ref();
      this.#handle.close(resolve);
      close(this.#writer);
    });
  }
}

/** Loads Node's binding for pipes: deprecated, but reachable by no other name. */
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
