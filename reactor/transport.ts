/**
 * How the bytes of a stream get in and out of its descriptor: the seam between
 * `Stream`, which knows nothing of calls, and the calls.
 *
 * A transport has no state, so one object serves all streams of its kind, and a
 * stream needs no room for it. In a program with sockets alone every call goes to
 * one class, which V8 inlines.
 *
 * @module
 */

import type { OpenFile } from "../backends/ffi/open_file.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import {
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  EVENT_READ,
  MODE_EDGE,
} from "../backends/selector.ts";
import type { WriteQueue } from "./send_queue.ts";

/**
 * Edge-triggered interest in input, end of file, errors and urgent data. While
 * `EVENT_READ` alone is reported, a receive that got less than it asked for got
 * everything. The kernel then need not look at the descriptor again, as it does
 * after each level-triggered event. That is 1 to 3 % of the cost of a small message.
 */
export const EDGE_READ = EVENT_READ | EVENT_PRIORITY | EVENT_HANG_UP |
  MODE_EDGE;

/** The owner of a descriptor. */
export interface TransportFile {
  /** The descriptor; -1 once closed. */
  readonly fd: number;
  /** Closes the descriptor. */
  close(): void;
}

/**
 * The calls of one kind of descriptor. They are methods, so that an implementation
 * may require its own kind of file.
 */
export interface Transport {
  /** Whether bytes can come in. */
  receives(file: TransportFile): boolean;

  /** Whether bytes can go out. */
  sends(file: TransportFile): boolean;

  /**
   * Whether a receive that got less than it asked for got everything that was there
   * when `EVENT_READ` alone was reported.
   */
  drains(file: TransportFile): boolean;

  /**
   * Receives the bytes that are there.
   *
   * @returns how many, 0 at end of file, `WOULD_BLOCK` (-1) if there are none yet
   */
  receive(file: TransportFile, memory: Uint8Array<ArrayBuffer>): number;

  /**
   * Sends as many bytes as there is room for.
   *
   * @returns how many, `WOULD_BLOCK` (-1) without room
   */
  send(
    file: TransportFile,
    data: Uint8Array<ArrayBuffer>,
    length: number,
  ): number;

  /** Sends as much of a queue as there is room for. */
  sendAll(file: TransportFile, queue: WriteQueue): void;

  /** Reports the end of file to the peer, where one direction can end alone. */
  end(file: TransportFile): void;

  /** Makes the close that follows discard sent bytes that are still on their way. */
  reset(file: TransportFile): void;
}

/** Stream sockets, by recv(2), send(2), sendmsg(2) and shutdown(2). */
class SocketTransport implements Transport {
  receives(_socket: Socket): boolean {
    return true;
  }

  sends(_socket: Socket): boolean {
    return true;
  }

  /** A receive stops short at a descriptor that was passed over a Unix socket. */
  drains(socket: Socket): boolean {
    return socket.domain !== "unix";
  }

  receive(socket: Socket, memory: Uint8Array<ArrayBuffer>): number {
    return socket.recv(memory);
  }

  send(socket: Socket, data: Uint8Array<ArrayBuffer>, length: number): number {
    return socket.send(data, length);
  }

  sendAll(socket: Socket, queue: WriteQueue): void {
    queue.flush(socket);
  }

  /** A peer that is gone needs no end of file. Its last bytes, and its reset, are read. */
  end(socket: Socket): void {
    try {
      socket.shutdown("write");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotConnected)) throw error;
    }
  }

  /** A TCP peer gets a reset (RFC 9293, 3.10.5); a Unix socket has none. */
  reset(socket: Socket): void {
    if (socket.domain !== "unix") socket.resetOnClose();
  }
}

/** Pipes, terminals, devices and regular files, by read(2) and write(2). */
class FileTransport implements Transport {
  receives(file: OpenFile): boolean {
    return file.readable;
  }

  sends(file: OpenFile): boolean {
    return file.writable;
  }

  /** A terminal gives out a line at a time, a device whatever it likes. */
  drains(_file: OpenFile): boolean {
    return false;
  }

  receive(file: OpenFile, memory: Uint8Array<ArrayBuffer>): number {
    return file.read(memory);
  }

  send(file: OpenFile, data: Uint8Array<ArrayBuffer>, length: number): number {
    return file.write(data, length);
  }

  sendAll(file: OpenFile, queue: WriteQueue): void {
    queue.flush(file);
  }

  /** One direction of a descriptor cannot end alone: close() ends both. */
  end(_file: OpenFile): void {}

  reset(_file: OpenFile): void {}
}

/** The one transport of all sockets. */
export const socketTransport: Transport = new SocketTransport();

/** The one transport of all other descriptors. */
export const fileTransport: Transport = new FileTransport();
