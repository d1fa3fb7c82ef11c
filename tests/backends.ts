/**
 * The backends that the conformance suite runs, and how they differ: as data,
 * so that no case asks for a name.
 */

import {
  DefaultSelector,
  DevpollSelector,
  EpollSelector,
  KqueueSelector,
  type LoopSelector,
  PollSelector,
  SelectSelector,
} from "../backends/mod.ts";
import { withDevPollCalls } from "../backends/devpoll.ts";
import { HostedWasiSelector } from "./adapters/wasi/hosted_selector.ts";
import { DevPollStandIn } from "./devpoll_stand_in.ts";
import { emulated } from "./util.ts";

/** What a backend does in its own way. */
export interface Capabilities {
  /** MODE_EDGE. */
  readonly edge: boolean;
  /** MODE_ONE_SHOT. */
  readonly oneShot: boolean;
  /** MODE_EXCLUSIVE. */
  readonly exclusive: boolean;
  /** EVENT_PRIORITY. */
  readonly priority: boolean;
  /** EVENT_HANG_UP. */
  readonly hangUp: boolean;
  /** The first descriptor that it cannot hold. */
  readonly maxFd: number;
  /** Whether `register()` refuses a number that is not open; else a wait reports it. */
  readonly refusesClosed: boolean;
  /** Whether a wait reports, once, a descriptor that was closed behind its back. */
  readonly reportsClosed: boolean;
  /** Whether a regular file is ready at any time, or only while there is more to read. */
  readonly regularFile: "always ready" | "until its end";
  /** Whether a wake-up of less than a millisecond is possible. */
  readonly briefWaits: boolean;
  /** Whether a wait can be told how many to report at the most. */
  readonly limitsWaits: boolean;
  /** Whether the selector has a descriptor of its own. */
  readonly ownFd: boolean;
  /** Whether a socket's error is still to be had once its event was reported. */
  readonly keepsErrors: boolean;
  /** Whether a number is forgotten when it is closed, also one of a regular file, or of a file with a copy. */
  readonly followsClose: boolean;
  /** Whether that descriptor can be watched by another selector. */
  readonly nests: boolean;
}

/** One backend on this machine. */
export interface Backend {
  readonly name: string;
  /** Why it cannot run here, if so. */
  readonly absent: string | undefined;
  readonly capabilities: Capabilities;
  make<T>(): LoopSelector<T>;
}

const epoll: Capabilities = {
  edge: true,
  oneShot: true,
  exclusive: true,
  priority: true,
  hangUp: true,
  maxFd: Infinity,
  refusesClosed: true,
  reportsClosed: false,
  regularFile: "always ready",
  // QEMU 7.2 has no epoll_pwait2.
  briefWaits: !emulated,
  keepsErrors: true,
  followsClose: true,
  limitsWaits: true,
  ownFd: true,
  nests: true,
};

const poll: Capabilities = {
  edge: false,
  oneShot: false,
  exclusive: false,
  priority: true,
  hangUp: false,
  maxFd: Infinity,
  refusesClosed: false,
  reportsClosed: true,
  regularFile: "always ready",
  briefWaits: true,
  keepsErrors: true,
  followsClose: true,
  limitsWaits: false,
  ownFd: false,
  nests: false,
};

const select: Capabilities = { ...poll, maxFd: 1024 };

const devpoll: Capabilities = {
  ...poll,
  refusesClosed: true,
  briefWaits: false,
  ownFd: true,
};

const wasi: Capabilities = { ...poll, priority: false };

const kqueue: Capabilities = {
  ...epoll,
  exclusive: false,
  priority: Deno.build.os === "darwin",
  hangUp: false,
  regularFile: "until its end",
};

/** libkqueue asks sockets for their errors itself, and asks closed numbers on. */
const libkqueue: Capabilities = {
  ...kqueue,
  keepsErrors: false,
  followsClose: false,
  nests: false,
};

/** The calls of `/dev/poll`, where it is not the system's own that is tested. */
export const devPollStandIn: DevPollStandIn = new DevPollStandIn();

const kqueueLibrary = Deno.env.get("POLLUX_KQUEUE_LIBRARY") || undefined;
const hasDevPoll = ["illumos", "solaris"].includes(Deno.build.os);

/** Why a backend cannot be made, or undefined if it can. */
function absence(make: () => LoopSelector<unknown>): string | undefined {
  try {
    make().close();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotSupported) return error.message;
    throw error;
  }
}

function backend(
  name: string,
  capabilities: Capabilities,
  make: <T>() => LoopSelector<T>,
): Backend {
  return { name, absent: absence(make), capabilities, make };
}

/** The memory of a guest reserves address space, of which an emulator has too little. */
function makeWasi<T>(): LoopSelector<T> {
  if (emulated) {
    throw new Deno.errors.NotSupported("the emulator has too little memory");
  }
  return new HostedWasiSelector();
}

const all: readonly Backend[] = [
  backend("EpollSelector", epoll, () => new EpollSelector()),
  backend(
    "KqueueSelector",
    kqueueLibrary === undefined ? kqueue : libkqueue,
    makeKqueue,
  ),
  backend("DevpollSelector", devpoll, makeDevpoll),
  backend("PollSelector", poll, () => new PollSelector()),
  backend("SelectSelector", select, () => new SelectSelector()),
  backend("WasiSelector", wasi, makeWasi),
];

/** All of them, the system's best once more under its general name. */
export const backends: readonly Backend[] = [
  ...all,
  backend(
    "DefaultSelector",
    defaultCapabilities(),
    makeDefault,
  ),
];

/** The names of those that a system has to have, however this machine is set up. */
export const required: Readonly<Record<string, readonly string[]>> = {
  linux: ["EpollSelector", "PollSelector", "SelectSelector"],
  darwin: ["KqueueSelector", "PollSelector", "SelectSelector"],
  freebsd: ["KqueueSelector", "PollSelector", "SelectSelector"],
};

function makeKqueue<T>(): LoopSelector<T> {
  if (kqueueLibrary === undefined) return new KqueueSelector();
  return new KqueueSelector({ library: kqueueLibrary });
}

function makeDevpoll<T>(): LoopSelector<T> {
  return hasDevPoll
    ? new DevpollSelector()
    : withDevPollCalls(devPollStandIn, () => new DevpollSelector<T>());
}

function makeDefault<T>(): LoopSelector<T> {
  return new DefaultSelector<T>() as LoopSelector<T>;
}

/** Those of the class that stands behind the general name here. */
function defaultCapabilities(): Capabilities {
  if (absence(makeDefault) !== undefined) return poll;
  using selector = new DefaultSelector();
  const { name } = selector.constructor;
  return all.find((backend) => backend.name === name)!.capabilities;
}
