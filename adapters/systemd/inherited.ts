/**
 * Sockets and other files that the service manager opens before the service starts.
 *
 * @module
 */

import { setCloseOnExec } from "../../backends/ffi/descriptor.ts";
import { isSystemError } from "../../backends/ffi/errors.ts";
import { Socket } from "../../backends/ffi/socket.ts";
import { takePassed } from "./environment.ts";

/** A socket that the service manager has passed. */
export interface InheritedSocket {
  /**
   * `FileDescriptorName=` of the unit, or the name in the descriptor store. Several
   * sockets may have one name.
   */
  readonly name: string;
  /** The socket, which you have to close. Its `type` and `domain` say what it is. */
  readonly socket: Socket;
  /**
   * Whether it listens (SO_ACCEPTCONN). Otherwise a socket of type "stream" is a
   * connection, as with `Accept=yes`.
   */
  readonly listening: boolean;
}

/** Another file that the service manager has passed: a FIFO, a device, a stored pipe. */
export interface InheritedFile {
  /** `FileDescriptorName=` of the unit, or the name in the descriptor store. */
  readonly name: string;
  /** The descriptor, which you have to close. */
  readonly fd: number;
}

/** The descriptors that no call has returned yet; undefined before the first call. */
let sockets: InheritedSocket[] | undefined;
const files: InheritedFile[] = [];

/**
 * Returns the sockets that systemd has opened for this service, as by a `.socket` unit,
 * and those of its descriptor store. They are non-blocking and close-on-exec. Each is
 * returned once: a second call returns none.
 *
 * It needs `--allow-env=LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES`, and unsets these
 * variables. They name the process that systemd starts, so `ExecStart=` must start Deno
 * itself rather than `npx` or a shell.
 *
 * @returns none if LISTEN_PID is not this process
 * @throws {Deno.errors.InvalidData} if the variables contradict each other
 * @throws {Deno.errors.NotCapable} without `--allow-env` and `--allow-ffi`
 * @throws {SystemError} `EBADF` if a descriptor is not open
 *
 * @example
 * ```ts
 * import { inheritedSockets } from "@pollux/reactor/systemd";
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * using reactor = new Reactor();
 * for (const { socket, listening } of inheritedSockets()) {
 *   if (listening) reactor.listen({ socket }, (peer) => peer.end("hello"));
 *   else socket.close();
 * }
 * reactor.run();
 * ```
 */
export function inheritedSockets(): InheritedSocket[] {
  return takeAll().splice(0);
}

/**
 * Returns other files that systemd has opened for this service: FIFOs, devices and
 * stored pipes. They are close-on-exec, and block as systemd has set them. Otherwise it
 * is like `inheritedSockets()`.
 *
 * @throws as `inheritedSockets`
 *
 * @example A pipe of the descriptor store
 * ```ts
 * import { inheritedFiles } from "@pollux/reactor/systemd";
 *
 * const stored = inheritedFiles().find(({ name }) => name === "journal");
 * console.log(stored?.fd ?? "nothing was stored");
 * ```
 */
export function inheritedFiles(): InheritedFile[] {
  takeAll();
  return files.splice(0);
}

/** Takes the descriptors at the first call. */
function takeAll(): InheritedSocket[] {
  if (sockets !== undefined) return sockets;
  const passed = takePassed();
  // No later call takes them again, not even after an error below.
  sockets = [];
  for (const { name, fd } of passed) {
    const socket = socketOf(fd);
    if (socket === null) files.push({ name, fd });
    else sockets.push({ name, socket, listening: isListening(socket) });
  }
  return sockets;
}

/** The socket of a descriptor; null if it is another file. */
function socketOf(fd: number): Socket | null {
  try {
    return Socket.adopt(fd);
  } catch (error) {
    if (!isSystemError(error) || error.code !== "ENOTSOCK") throw error;
    setCloseOnExec(fd);
    return null;
  }
}

/** False also on macOS, which has no SO_ACCEPTCONN. */
function isListening(socket: Socket): boolean {
  try {
    return socket.getOption("acceptsConnections");
  } catch (error) {
    if (error instanceof Deno.errors.NotSupported) return false;
    throw error;
  }
}
