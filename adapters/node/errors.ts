/**
 * Errors as Node has them: programs for Node look at their `code`.
 *
 * @module
 */

import { isSystemError, type SystemError } from "../../backends/ffi/errors.ts";

/** An error with the properties that Node gives to those of the system. */
export interface NodeError extends Error {
  /** The name of the error, as in "ECONNRESET". */
  code?: string;
  /** The number of the error, negative as in Node. */
  errno?: number;
  /** The call as Node names it: "connect", "read" or "write". */
  syscall?: string;
  /** The address that was connected to: an IP address or a path. */
  address?: string;
  /** The port that was connected to. */
  port?: number;
}

/** The calls for which Node has other names. */
const CALLS: Readonly<Record<string, string>> = {
  recv: "read",
  recvmsg: "read",
  send: "write",
  sendmsg: "write",
};

/**
 * Converts an error of a connection. Its `cause` is the error itself. Errors of other
 * kinds are returned as they are.
 */
export function nodeError(error: Error): NodeError {
  if (isSystemError(error)) return nodeSystemError(error);
  if (!(error instanceof Deno.errors.TimedOut)) return error;
  return withCode("ETIMEDOUT", new Error(error.message, { cause: error }));
}

/** Gives an error its code. */
export function withCode<E extends Error>(
  code: string,
  error: E,
): E & NodeError {
  return Object.assign(error, { code });
}

/** The error of a write after the stream was destroyed. */
export function destroyedError(): NodeError {
  return withCode(
    "ERR_STREAM_DESTROYED",
    new Error("Cannot call write after a stream was destroyed"),
  );
}

/** The error of a write after the peer's end of file, without `allowHalfOpen`. */
export function endedError(): NodeError {
  return withCode(
    "EPIPE",
    new Error("This socket has been ended by the other party"),
  );
}

function nodeSystemError(error: SystemError): NodeError {
  const { code, errno, detail } = error;
  const syscall = CALLS[error.syscall] ?? error.syscall;
  const connects = syscall === "connect" && detail !== undefined;
  const message = `${syscall} ${code}${connects ? ` ${detail}` : ""}`;
  return Object.assign(new Error(message, { cause: error }), {
    code,
    errno: -errno,
    syscall,
    ...(connects ? targetOf(detail) : {}),
  });
}

/** The target in the detail of a failed connect: `127.0.0.1:80`, `[::1]:80` or a path. */
function targetOf(detail: string): { address: string; port?: number } {
  const match = /^\[?([^/]*?)\]?:(\d+)$/.exec(detail);
  if (match === null) return { address: detail };
  return { address: match[1]!, port: Number(match[2]) };
}
