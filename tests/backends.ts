/**
 * The backends of the conformance suite, and their differences as data, so that no
 * case asks for a name.
 */

import {
  AfdSelector,
  DefaultSelector,
  DevpollSelector,
  EpollSelector,
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  KqueueSelector,
  type LoopSelector,
  MODE_EDGE,
  MODE_EXCLUSIVE,
  MODE_ONE_SHOT,
  PollSelector,
  SelectSelector,
} from "../backends/mod.ts";
import { withDevPollCalls } from "../backends/devpoll.ts";
import { HostedWasiSelector } from "./adapters/wasi/hosted_selector.ts";
import { DevPollStandIn } from "./devpoll_stand_in.ts";
import { anyFile, emulated, wine } from "./util.ts";

/** The properties of a backend that `supported` does not say. */
export interface Traits {
  /** The first descriptor that it cannot hold. */
  readonly maxFd: number;
  /** Whether `register()` refuses a number that is not open; otherwise a wait reports it. */
  readonly refusesClosed: boolean;
  /** Whether a wait reports, once, a registered descriptor that was closed. */
  readonly reportsClosed: boolean;
  /** Whether a regular file is always ready, or only while there is more to read. */
  readonly regularFile: "always ready" | "until its end";
  /** Whether a wait of less than a millisecond is possible. */
  readonly briefWaits: boolean;
  /** Whether a wait can stop at a number of ready entries. */
  readonly limitsWaits: boolean;
  /** Whether the selector has a descriptor of its own. */
  readonly ownFd: boolean;
  /** Whether a socket's error can still be read after its event. */
  readonly keepsErrors: boolean;
  /** Whether a close ends the registration of a regular file, or of one with a duplicate. */
  readonly followsClose: boolean;
  /** Whether another selector can watch the selector's descriptor. */
  readonly nests: boolean;
  /** Whether pipes, terminals and regular files can be watched, and not sockets alone. */
  readonly anyFile: boolean;
  /** Whether a signal interrupts a wait. */
  readonly signals: boolean;
  /** Whether `EVENT_HANG_UP` is reported while there are bytes to read. */
  readonly hangUpBehindData: boolean;
}

/** The bits of `supported` that a case can need. */
export const OPTIONAL = {
  edge: MODE_EDGE,
  oneShot: MODE_ONE_SHOT,
  exclusive: MODE_EXCLUSIVE,
  priority: EVENT_PRIORITY,
  hangUp: EVENT_HANG_UP,
} as const;

/** Everything that a case can need: traits, and names of the bits of `supported`. */
export type Capabilities =
  & Traits
  & Readonly<Record<keyof typeof OPTIONAL, boolean>>;

/** One backend on this machine. */
export interface Backend {
  readonly name: string;
  /** The reason why it cannot run here, if so. */
  readonly absent: string | undefined;
  readonly capabilities: Capabilities;
  make<T>(): LoopSelector<T>;
}

const onWindows = Deno.build.os === "windows";

const epoll: Traits = {
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
  anyFile,
  signals: anyFile,
  hangUpBehindData: true,
};

const poll: Traits = {
  maxFd: Infinity,
  refusesClosed: false,
  reportsClosed: true,
  regularFile: "always ready",
  // The clock of Windows' waits ticks 64 times a second.
  briefWaits: !onWindows,
  keepsErrors: true,
  followsClose: true,
  limitsWaits: false,
  ownFd: false,
  nests: false,
  anyFile,
  signals: anyFile,
  hangUpBehindData: true,
};

const select: Traits = { ...poll, maxFd: onWindows ? Infinity : 1024 };

const afd: Traits = {
  ...poll,
  refusesClosed: true,
  // Wine's AFD finds the end behind data only when the data is read.
  hangUpBehindData: !wine,
};

const devpoll: Traits = {
  ...poll,
  refusesClosed: true,
  briefWaits: false,
  ownFd: true,
};

const kqueue: Traits = { ...epoll, regularFile: "until its end" };

/** libkqueue reads the errors of sockets itself, and keeps closed numbers. */
const libkqueue: Traits = {
  ...kqueue,
  keepsErrors: false,
  followsClose: false,
  nests: false,
};

/** The calls of `/dev/poll` on other systems than illumos. */
export const devPollStandIn: DevPollStandIn = new DevPollStandIn();

const kqueueLibrary = Deno.env.get("POLLUX_KQUEUE_LIBRARY") || undefined;
const hasDevPoll = ["illumos", "solaris"].includes(Deno.build.os);

/** The supported events and modes of a backend, or the reason why there is none. */
function probe(make: () => LoopSelector<unknown>): number | string {
  try {
    using selector = make();
    return selector.supported;
  } catch (error) {
    if (error instanceof Deno.errors.NotSupported) return error.message;
    throw error;
  }
}

/** Describes a backend. Without it, every case counts, and is reported as ignored. */
export function backend(
  name: string,
  traits: Traits,
  make: <T>() => LoopSelector<T>,
): Backend {
  const found = probe(make);
  const supported = typeof found === "number" ? found : ~0;
  return {
    name,
    absent: typeof found === "string" ? found : undefined,
    capabilities: {
      ...traits,
      edge: (supported & OPTIONAL.edge) !== 0,
      oneShot: (supported & OPTIONAL.oneShot) !== 0,
      exclusive: (supported & OPTIONAL.exclusive) !== 0,
      priority: (supported & OPTIONAL.priority) !== 0,
      hangUp: (supported & OPTIONAL.hangUp) !== 0,
    },
    make,
  };
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
  backend("AfdSelector", afd, () => new AfdSelector()),
  backend("PollSelector", poll, () => new PollSelector()),
  backend("SelectSelector", select, () => new SelectSelector()),
  backend("WasiSelector", poll, makeWasi),
];

/** All of them, and the system's best again under its general name. */
export const backends: readonly Backend[] = [
  ...all,
  backend("DefaultSelector", defaultTraits(), makeDefault),
];

/** The optional events and modes that a backend supports. */
export function supportedBy(name: string): string[] {
  using selector = backends.find((backend) => backend.name === name)!.make();
  const supported = Object.entries(OPTIONAL)
    .filter(([_, bit]) => (selector.supported & bit) !== 0);
  return supported.map(([optional]) => optional);
}

/** The backends that a system must have, however this machine is set up. */
export const required: Readonly<Record<string, readonly string[]>> = {
  linux: ["EpollSelector", "PollSelector", "SelectSelector"],
  darwin: ["KqueueSelector", "PollSelector", "SelectSelector"],
  freebsd: ["KqueueSelector", "PollSelector", "SelectSelector"],
  windows: ["AfdSelector", "PollSelector", "SelectSelector"],
};

function makeKqueue<T>(): LoopSelector<T> {
  if (kqueueLibrary === undefined) return new KqueueSelector();
  return new KqueueSelector({ library: kqueueLibrary });
}

function makeDevpoll<T>(): LoopSelector<T> {
  // The stand-in needs the poll(2) of POSIX.
  return hasDevPoll || onWindows
    ? new DevpollSelector()
    : withDevPollCalls(devPollStandIn, () => new DevpollSelector<T>());
}

function makeDefault<T>(): LoopSelector<T> {
  return new DefaultSelector<T>() as LoopSelector<T>;
}

/** Those of the class that the general name creates here. */
function defaultTraits(): Traits {
  if (typeof probe(makeDefault) === "string") return poll;
  using selector = new DefaultSelector();
  const { name } = selector.constructor;
  return all.find((backend) => backend.name === name)!.capabilities;
}
