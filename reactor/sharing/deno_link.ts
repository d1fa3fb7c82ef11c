/**
 * A descriptor that Deno's event loop reads. Deno finds something in it only when it
 * polls I/O, together with all other pending I/O.
 *
 * Deno reads it natively, through Node's handle for pipes, which takes any descriptor
 * that can be read. It needs no permission and nothing outside of the process: neither
 * loopback nor a port.
 *
 * @module
 */

import { close, hasPipes, pipe, write } from "../../backends/ffi/descriptor.ts";

/** Deno reads into it; a byte other than 0 shows that a read has got something. */
const RECEIVED_WORDS = 4;

const ONE_BYTE = Uint8Array.of(1);

/** The part of Node's pipe handle that the link uses. */
interface PipeHandle {
  onread: (() => void) | null;
  open(fd: number): number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  ref(): void;
  unref(): void;
  close(callback: () => void): void;
}

interface PipeWrap {
  readonly Pipe: new (type: number) => PipeHandle;
  readonly constants: { readonly SOCKET: number };
}

/** A descriptor that Deno reads, and the way to make it readable. */
export interface LinkSource {
  /** Deno closes it together with the link. */
  readonly fd: number;
  /** Makes the descriptor readable, from this thread. */
  signal(): void;
  /** Releases all but the descriptor. */
  close(): void;
}

/** A pipe of our own: the source on every system. */
export class PipeSource implements LinkSource {
  readonly fd: number;
  readonly #writer: number;

  /** @throws {SystemError} `EMFILE`: no descriptors left */
  constructor() {
    [this.fd, this.#writer] = pipe();
  }

  signal(): void {
    // A full pipe is readable, too: EAGAIN is no failure.
    write(this.#writer, ONE_BYTE);
  }

  close(): void {
    close(this.#writer);
  }
}

/** A source that Deno owns, and reads. */
export class DenoLink {
  readonly #source: LinkSource;
  readonly #handle: PipeHandle;
  #closing: Promise<void> | null = null;

  private constructor(
    handle: PipeHandle,
    source: LinkSource,
    onRead: () => void,
    onEnd: () => void,
  ) {
    this.#handle = handle;
    this.#source = source;
    // Deno would allocate 64 KiB for each read.
    const received = new Int32Array(new ArrayBuffer(4 * RECEIVED_WORDS));
    handle.useUserBuffer(new Uint8Array(received.buffer));
    handle.onread = () => {
      const nothing = received.every((word) => word === 0);
      received.fill(0);
      if (nothing && this.#closing === null) onEnd();
      else onRead();
    };
    handle.readStart();
  }

  /**
   * Passes a descriptor to Deno. It loads Node's part of Deno, which blocks the thread
   * for about 10 ms unless the program has loaded it.
   *
   * @param open Opens the source
   * @param onRead Called when Deno has read the descriptor
   * @param onEnd Called at the end of file: the link is broken
   * @returns null where Deno lacks such a handle
   * @throws as `open`
   */
  static create(
    open: () => LinkSource,
    onRead: () => void,
    onEnd: () => void,
  ): DenoLink | null {
    const wrap = hasPipes ? pipeWrap() : null;
    if (wrap === null) return null;
    const source = open();
    const handle = new wrap.Pipe(wrap.constants.SOCKET);
    if (handle.open(source.fd) === 0) {
      return new DenoLink(handle, source, onRead, onEnd);
    }
    source.close();
    close(source.fd);
    return null;
  }

  /** The descriptor that Deno reads, until the link is closed. */
  get fd(): number {
    return this.#source.fd;
  }

  /** Makes Deno call `onRead` when it polls I/O. */
  signal(): void {
    this.#source.signal();
  }

  /** Sets whether the link keeps the process alive. */
  setRef(referenced: boolean): void {
    if (referenced) this.#handle.ref();
    else this.#handle.unref();
  }

  /** Closes the source; resolves when Deno has closed the descriptor. */
  close(): Promise<void> {
    return this.#closing ??= new Promise((resolve) => {
      this.#handle.ref();
      this.#handle.close(resolve);
      this.#source.close();
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
