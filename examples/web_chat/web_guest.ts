/**
 * A guest in a browser: one WebSocket, and its messages in JSON.
 *
 * @module
 */

import type { Reactor } from "../../mod.ts";
import { report } from "../command_line.ts";
import { type Guest, MAXIMUM_QUEUED, type Room } from "./room.ts";

/** How long a page may take to come in, in milliseconds. */
const PATIENCE = 10_000;

/** How often WebSockets are asked whether they are alive, in milliseconds. */
const HEARTBEAT = 30_000;

/** "Going away", RFC 6455 section 7.4.1. */
const GOING_AWAY = 1001;
/** "Policy violation". */
const POLICY_VIOLATION = 1008;

/** The members of a WebSocket of `ws` that are used here: the package has no types. */
export interface ServerSocket {
  readonly bufferedAmount: number;
  on(event: "message", listener: (data: unknown) => void): void;
  on(event: "close" | "error" | "pong", listener: () => void): void;
  send(text: string): void;
  ping(): void;
  pause(): void;
  resume(): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

/** Serves a WebSocket: its first message names the guest, all others are lines. */
export function serveSocket(
  reactor: Reactor,
  room: Room,
  socket: ServerSocket,
): void {
  let guest: Guest | null = null;
  let isOver = false;
  const timer = reactor.callLater(PATIENCE, () => socket.terminate());
  const receive = async (message: Record<string, unknown>): Promise<void> => {
    const { name, text } = message;
    if (guest !== null && typeof text === "string") {
      const id = numberOf(message.id);
      await room.say(guest, id === null ? { text } : { text, id });
    } else if (guest === null && typeof name === "string") {
      if (isOver) return;
      const candidate = guestOf(socket, name, message);
      const isIn = await room.enter(candidate);
      timer.cancel();
      if (isIn) guest = candidate;
      else socket.close();
    } else {
      socket.close(POLICY_VIOLATION, "Unexpected message");
    }
  };
  const finished = inTurn(socket, receive);
  socket.on("close", () => {
    isOver = true;
    timer.cancel();
    finished().then(() => guest === null || room.leave(guest));
  });
  // Its "close" follows.
  socket.on("error", () => {});
  keepAlive(reactor, socket);
}

/**
 * Calls back with one message at a time. Meanwhile the socket is paused, so that a page
 * cannot fill the memory.
 *
 * @returns a function whose promise resolves when all messages are done
 */
function inTurn(
  socket: ServerSocket,
  receive: (message: Record<string, unknown>) => Promise<void>,
): () => Promise<void> {
  let work = Promise.resolve();
  let waiting = 0;
  const next = async (data: unknown): Promise<void> => {
    try {
      await receive(parse(String(data)));
    } finally {
      if (--waiting === 0) socket.resume();
    }
  };
  socket.on("message", (data) => {
    if (waiting++ === 0) socket.pause();
    work = work.then(() => next(data)).catch(report);
  });
  return () => work;
}

function guestOf(
  socket: ServerSocket,
  name: string,
  { key, after }: Record<string, unknown>,
): Guest {
  return {
    name,
    // A WebSocket without a secret keeps its place.
    key: typeof key === "string" ? key : null,
    after: numberOf(after),
    send: (message) => {
      if (socket.bufferedAmount > MAXIMUM_QUEUED) socket.terminate();
      else socket.send(JSON.stringify(message));
    },
    close: () => socket.close(GOING_AWAY),
  };
}

/** The properties of a message: none if it is malformed. */
function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function numberOf(value: unknown): number | null {
  return Number.isSafeInteger(value) ? value as number : null;
}

/** Ends a connection whose browser does not answer, because its network was lost. */
function keepAlive(reactor: Reactor, socket: ServerSocket): void {
  let isAlive = true;
  socket.on("pong", () => isAlive = true);
  const timer = reactor.callEvery(HEARTBEAT, () => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  });
  socket.on("close", () => timer.cancel());
}
