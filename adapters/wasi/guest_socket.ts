/**
 * The sockets of a guest.
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
  ENOTCONN,
  errnoOf,
  Refusal,
  wasiErrno,
} from "../../backends/wasi/errno.ts";
import { END, type GuestStream } from "./guest_file.ts";
import {
  gather,
  messageBuffer,
  MOST_MESSAGE_BYTES,
  oneMessage,
  scatter,
  scratchBuffer,
  totalLength,
} from "./iovec.ts";
import { CONNECTION_RIGHTS, LISTENER_RIGHTS } from "./rights.ts";

/** Up to this many bytes of a stream are counted exactly; of a datagram all are. */
const PEEK_BYTES = 4096;

/** The result of a receive. */
export interface Received {
  readonly bytes: number;
  /** Whether the rest of a datagram was discarded. */
  readonly truncated: boolean;
}

/**
 * A socket of a guest. The host's descriptor never blocks. Whether the guest's calls
 * do is a flag here, which other owners of the same file do not see.
 */
export class GuestSocket implements GuestStream {
  readonly kind = "stream";
  readonly socket: Socket;
  readonly filetype: number;
  nonblocking = false;
  /** Whether it accepts connections. */
  listening: boolean;
  /** An error that the guest has not seen yet; the next call reports it. */
  #error = 0;

  constructor(socket: Socket, filetype: number, listening: boolean) {
    this.socket = socket;
    this.filetype = filetype;
    this.listening = listening;
  }

  /** Wraps a socket of any type. */
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

  /** Returns the pending error of the socket and clears it; 0 if there is none. */
  takeError(): number {
    const errno = this.#error;
    this.#error = 0;
    if (errno !== 0) return errno;
    const error = this.socket.takeError();
    return error === null ? 0 : wasiErrno(error.code);
  }

  /** Keeps an error, which the socket no longer has, for the next call. */
  keepError(error: unknown): void {
    this.#error = errnoOf(error);
  }

  /** @throws {Refusal} the error that was kept */
  reportError(): void {
    if (this.#error === 0) return;
    const errno = this.#error;
    this.#error = 0;
    throw new Refusal(errno);
  }

  /** Accepts a connection. @returns null if the backlog is empty */
  accept(): GuestSocket | null {
    const socket = this.socket.accept();
    return socket && new GuestSocket(socket, this.filetype, false);
  }

  read(buffers: readonly Uint8Array<ArrayBuffer>[]): number {
    // As read(2), and unlike recv(2): without room there is nothing to wait for.
    if (!this.listening && totalLength(buffers) === 0) return 0;
    const received = this.receive(buffers, 0);
    return received === null ? WOULD_BLOCK : received.bytes;
  }

  /**
   * Receives into the buffers.
   *
   * @param flags MSG_* of the system
   * @returns null if it would block
   */
  receive(
    buffers: readonly Uint8Array<ArrayBuffer>[],
    flags: number,
  ): Received | null {
    this.#checkConnection();
    return this.filetype === FILETYPE_SOCKET_DGRAM
      ? this.#receiveMessage(buffers, flags)
      : this.#receiveBytes(buffers, flags);
  }

  write(buffers: readonly Uint8Array<ArrayBuffer>[]): number {
    this.#checkConnection();
    if (buffers.length === 1) return this.socket.send(buffers[0]!);
    return this.filetype === FILETYPE_SOCKET_DGRAM
      ? this.socket.send(oneMessage(buffers))
      : this.socket.send(scratchBuffer(), gather(buffers));
  }

  /**
   * A buffer for one receive, as long as the guest has room. For a datagram it has one
   * byte more: if that is filled, the datagram is cut.
   */
  receiveBuffer(room: number): Uint8Array<ArrayBuffer> {
    const scratch = scratchBuffer();
    if (this.filetype !== FILETYPE_SOCKET_DGRAM) {
      return scratch.subarray(0, room);
    }
    if (room < scratch.length) return scratch.subarray(0, room + 1);
    return messageBuffer(this.#messageLength()).subarray(0, room + 1);
  }

  available(): number {
    if (this.listening) return 1;
    try {
      if (this.filetype === FILETYPE_SOCKET_DGRAM) {
        return Math.max(this.#messageLength(), 0);
      }
      const count = this.#peek(scratchBuffer(), PEEK_BYTES);
      if (count === WOULD_BLOCK) return 0;
      return count === 0 ? END : count;
    } catch (error) {
      // The peek has cleared the error of the socket: keep it for the next call.
      const errno = errnoOf(error);
      if (errno !== ENOTCONN) this.#error = errno;
      return END;
    }
  }

  close(): void {
    this.socket.close();
  }

  /** A listener has no data. Linux reports the same error. */
  #checkConnection(): void {
    this.reportError();
    if (this.listening) throw new Refusal(ENOTCONN);
  }

  /** The length of the next datagram, or `WOULD_BLOCK`. */
  #messageLength(): number {
    const scratch = scratchBuffer();
    const count = this.#peek(scratch, scratch.length);
    if (count < scratch.length) return count;
    return this.#peek(messageBuffer(MOST_MESSAGE_BYTES), MOST_MESSAGE_BYTES);
  }

  #peek(buffer: Uint8Array<ArrayBuffer>, length: number): number {
    return this.socket.recv(buffer, length, system().constants.MSG_PEEK);
  }

  #receiveBytes(
    buffers: readonly Uint8Array<ArrayBuffer>[],
    flags: number,
  ): Received | null {
    if (buffers.length === 1) {
      const bytes = this.socket.recv(buffers[0]!, buffers[0]!.length, flags);
      return bytes === WOULD_BLOCK ? null : { bytes, truncated: false };
    }
    const buffer = this.receiveBuffer(totalLength(buffers));
    const bytes = this.socket.recv(buffer, buffer.length, flags);
    if (bytes === WOULD_BLOCK) return null;
    scatter(buffers, bytes);
    return { bytes, truncated: false };
  }

  #receiveMessage(
    buffers: readonly Uint8Array<ArrayBuffer>[],
    flags: number,
  ): Received | null {
    const room = totalLength(buffers);
    const buffer = this.receiveBuffer(room);
    const bytes = this.socket.recv(buffer, buffer.length, flags);
    if (bytes === WOULD_BLOCK) return null;
    const kept = Math.min(bytes, room);
    scatter(buffers, kept, buffer);
    return { bytes: kept, truncated: bytes > room };
  }
}

/**
 * Whether a stream socket accepts connections. Without SO_ACCEPTCONN, which fails on
 * macOS, a socket with an address and no peer counts as a listener. trio's
 * `SocketListener` has the same workaround.
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
