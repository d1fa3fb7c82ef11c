/**
 * A guest's socket.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import {
  isSystemError,
  type Socket,
  WOULD_BLOCK,
} from "../../backends/ffi/mod.ts";
import {
  FILETYPE_SOCKET_DGRAM,
  FILETYPE_SOCKET_STREAM,
} from "../../backends/wasi/abi.ts";
import {
  EMSGSIZE,
  ENOTCONN,
  errnoOf,
  Refusal,
  wasiErrno,
} from "../../backends/wasi/errno.ts";
import { END, type GuestStream } from "./guest_file.ts";
import { gather, scatter, scratchBuffer, totalLength } from "./pieces.ts";
import { CONNECTION_RIGHTS, LISTENER_RIGHTS } from "./rights.ts";

/** How many bytes of a stream `available()` tells exactly; a datagram's it tells always. */
const PEEK_BYTES = 4096;

/** What a receive brought. */
export interface Received {
  readonly bytes: number;
  /** Whether the rest of a datagram was lost. */
  readonly truncated: boolean;
}

/**
 * A socket in a guest's hands. The socket itself never waits; whether the
 * guest's calls do is a flag of ours, so that whoever shares the file sees
 * nothing of it.
 */
export class GuestSocket implements GuestStream {
  readonly kind = "stream";
  readonly socket: Socket;
  readonly filetype: number;
  nonblocking = false;
  /** Whether it accepts connections. */
  listening: boolean;
  /** An error that looking at the socket took off it: the next call reports it. */
  #error = 0;

  constructor(socket: Socket, filetype: number, listening: boolean) {
    this.socket = socket;
    this.filetype = filetype;
    this.listening = listening;
  }

  /** Takes a socket that was made elsewhere, whatever it is. */
  static of(socket: Socket): GuestSocket {
    const { SOCK_DGRAM } = system().constants;
    return socket.getOption("type") === SOCK_DGRAM
      ? new GuestSocket(socket, FILETYPE_SOCKET_DGRAM, false)
      : new GuestSocket(socket, FILETYPE_SOCKET_STREAM, isListening(socket));
  }

  get fileobj(): Socket {
    return this.socket;
  }

  get rights(): bigint {
    return this.listening ? LISTENER_RIGHTS : CONNECTION_RIGHTS;
  }

  get rightsInheriting(): bigint {
    return this.listening ? CONNECTION_RIGHTS : 0n;
  }

  /** The error that waits on the socket, which this call takes off it: 0 if there is none. */
  takeError(): number {
    const errno = this.#error;
    this.#error = 0;
    if (errno !== 0) return errno;
    const error = this.socket.takeError();
    return error === null ? 0 : wasiErrno(error.code);
  }

  /** @throws {Refusal} the error that waits on the socket */
  reportError(): void {
    if (this.#error === 0) return;
    const errno = this.#error;
    this.#error = 0;
    throw new Refusal(errno);
  }

  /** Takes a connection off the backlog. @returns null if none waits */
  accept(): GuestSocket | null {
    const socket = this.socket.accept();
    return socket && new GuestSocket(socket, this.filetype, false);
  }

  read(pieces: readonly Uint8Array<ArrayBuffer>[]): number {
    const received = this.receive(pieces, 0);
    return received === null ? WOULD_BLOCK : received.bytes;
  }

  /**
   * Receives into the pieces.
   *
   * @param flags MSG_* of the system
   * @returns null if there is nothing yet
   */
  receive(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    flags: number,
  ): Received | null {
    this.#checkConnection();
    return this.filetype === FILETYPE_SOCKET_DGRAM
      ? this.#receiveMessage(pieces, flags)
      : this.#receiveBytes(pieces, flags);
  }

  write(pieces: readonly Uint8Array<ArrayBuffer>[]): number {
    this.#checkConnection();
    if (pieces.length === 1) return this.socket.send(pieces[0]!);
    this.#checkMessage(pieces);
    return this.socket.send(scratchBuffer(), gather(pieces));
  }

  available(): number {
    if (this.listening) return 1;
    try {
      const { MSG_PEEK } = system().constants;
      const scratch = scratchBuffer();
      const most = this.filetype === FILETYPE_SOCKET_DGRAM
        ? scratch.length
        : PEEK_BYTES;
      const count = this.socket.recv(scratch, most, MSG_PEEK);
      if (count === WOULD_BLOCK) return 0;
      return count === 0 && this.filetype === FILETYPE_SOCKET_STREAM
        ? END
        : count;
    } catch (error) {
      // The look has taken the error off the socket; whoever calls next has to hear it.
      const errno = errnoOf(error);
      if (errno !== ENOTCONN) this.#error = errno;
      return END;
    }
  }

  close(): void {
    this.socket.close();
  }

  /** A listener has no data. Linux says so with the same error. */
  #checkConnection(): void {
    this.reportError();
    if (this.listening) throw new Refusal(ENOTCONN);
  }

  /** A datagram that does not fit is not sent, as the system would have it. */
  #checkMessage(pieces: readonly Uint8Array[]): void {
    if (
      this.filetype === FILETYPE_SOCKET_DGRAM &&
      totalLength(pieces) > scratchBuffer().length
    ) throw new Refusal(EMSGSIZE);
  }

  #receiveBytes(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    flags: number,
  ): Received | null {
    if (pieces.length === 1) {
      const bytes = this.socket.recv(pieces[0]!, pieces[0]!.length, flags);
      return bytes === WOULD_BLOCK ? null : { bytes, truncated: false };
    }
    const buffer = scratchBuffer();
    const room = Math.min(totalLength(pieces), buffer.length);
    const bytes = this.socket.recv(buffer, room, flags);
    if (bytes === WOULD_BLOCK) return null;
    scatter(pieces, bytes);
    return { bytes, truncated: false };
  }

  /** One byte more than there is room for: that it was used is how we know of the rest. */
  #receiveMessage(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    flags: number,
  ): Received | null {
    const buffer = scratchBuffer();
    const room = totalLength(pieces);
    const bytes = this.socket.recv(
      buffer,
      Math.min(room + 1, buffer.length),
      flags,
    );
    if (bytes === WOULD_BLOCK) return null;
    const kept = Math.min(bytes, room);
    scatter(pieces, kept);
    return { bytes: kept, truncated: bytes > room };
  }
}

/**
 * Whether a stream socket accepts connections. Where the system does not say
 * (getsockopt of SO_ACCEPTCONN fails on macOS; trio's `SocketListener` allows for
 * it), one that has an address and no peer is taken for a listener.
 */
function isListening(socket: Socket): boolean {
  try {
    return socket.getOption("acceptsConnections");
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return hasAddress(socket) && !hasPeer(socket);
  }
}

function hasAddress(socket: Socket): boolean {
  const address = socket.localAddress;
  return "path" in address ? address.path !== "" : address.port !== 0;
}

function hasPeer(socket: Socket): boolean {
  try {
    return socket.remoteAddress !== undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
}
