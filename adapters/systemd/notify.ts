/**
 * Messages of a service to its manager.
 *
 * Sources: sd_notify(3), sd_pid_notify_with_fds(3), sd_watchdog_enabled(3);
 * systemd.service(5), `Type=`, `WatchdogSec=`, `FileDescriptorStoreMax=`.
 *
 * @module
 */

import { bindCalls } from "../../backends/ffi/calls.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { type FileObject, WOULD_BLOCK } from "../../backends/ffi/descriptor.ts";
import { Socket } from "../../backends/ffi/socket.ts";
import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { notifyPath, watchdogTime } from "./environment.ts";

/** The state of a service, as `notify()` sends it. Default of each: not sent. */
export interface ServiceState {
  /** The service has started, or has loaded its configuration again (`READY=1`). */
  readonly ready?: boolean;
  /** The service loads its configuration; `ready` follows (`RELOADING=1`). */
  readonly reloading?: boolean;
  /** The service begins to stop (`STOPPING=1`). */
  readonly stopping?: boolean;
  /** A line for `systemctl status` (`STATUS=`). */
  readonly status?: string;
  /** The process that is the service from now on (`MAINPID=`). */
  readonly mainPid?: number;
  /** The service is alive, see `watchdogInterval()` (`WATCHDOG=1`). */
  readonly watchdog?: boolean;
  /**
   * Descriptors to keep over a restart, by names that `inheritedSockets()` reports
   * (`FDSTORE=1`). A name has at most 255 characters of ASCII, and no ":".
   */
  readonly descriptors?: Readonly<Record<string, FileObject>>;
  /** Names of stored descriptors to close (`FDSTOREREMOVE=1`). */
  readonly removedDescriptors?: readonly string[];
}

const STATE: OptionNames<ServiceState> = {
  ready: true,
  reloading: true,
  stopping: true,
  status: true,
  mainPid: true,
  watchdog: true,
  descriptors: true,
  removedDescriptors: true,
};

/** One datagram. */
interface Message {
  readonly text: string;
  readonly descriptors: readonly FileObject[];
}

/**
 * Reports the state of this service to systemd, as sd_notify(3) does. The unit needs
 * `Type=notify` or `NotifyAccess=`, and for descriptors `FileDescriptorStoreMax=`.
 *
 * It needs `--allow-env=NOTIFY_SOCKET`. Descriptors are sent first, so they are stored
 * when the state is reported.
 *
 * @returns whether the state was sent; false if NOTIFY_SOCKET is unset, as without systemd
 * @throws {TypeError} if a field is unknown, the status has several lines, or a name of a
 *   descriptor is not allowed
 * @throws {RangeError} if the process has no such number
 * @throws {Deno.errors.NotSupported} if NOTIFY_SOCKET is no Unix socket
 * @throws {Deno.errors.WouldBlock} if systemd does not take messages just now
 * @throws {SystemError} `Deno.errors.ConnectionRefused`, `Deno.errors.NotFound`, and others
 *
 * @example
 * ```ts
 * import { notify } from "@pollux/reactor/systemd";
 *
 * notify({ ready: true, status: "Serves 8001" });
 * ```
 */
export function notify(state: ServiceState): boolean {
  checkOptions(state, STATE);
  const messages = [
    ...(state.removedDescriptors ?? []).map(removal),
    ...Object.entries(state.descriptors ?? {}).map(storage),
    ...summary(state),
  ];
  const path = notifyPath();
  if (path === null) return false;
  using socket = Socket.create("unix", "datagram");
  for (const { text, descriptors } of messages) {
    const data = new TextEncoder().encode(text);
    const sent = socket.sendMessage(data, { address: { path }, descriptors });
    if (sent !== WOULD_BLOCK) continue;
    throw new Deno.errors.WouldBlock(
      "Cannot notify the service manager: its queue is full",
    );
  }
  return true;
}

/**
 * Returns how often systemd expects a sign of life (`WatchdogSec=`), in milliseconds.
 * Send one at least twice as often. Under a reactor, a loop that hangs is noticed, too.
 *
 * It needs `--allow-env=WATCHDOG_USEC,WATCHDOG_PID`.
 *
 * @returns null if systemd expects none
 * @throws {Deno.errors.InvalidData} if WATCHDOG_USEC is no whole number
 *
 * @example
 * ```ts
 * import { notify, watchdogInterval } from "@pollux/reactor/systemd";
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * using reactor = new Reactor();
 * const interval = watchdogInterval();
 * if (interval !== null) {
 *   reactor.callEvery(interval / 2, () => notify({ watchdog: true }));
 * }
 * ```
 */
export function watchdogInterval(): number | null {
  return watchdogTime();
}

function removal(name: string): Message {
  checkName(name);
  return { text: `FDSTOREREMOVE=1\nFDNAME=${name}`, descriptors: [] };
}

function storage([name, fileobj]: [string, FileObject]): Message {
  checkName(name);
  return { text: `FDSTORE=1\nFDNAME=${name}`, descriptors: [fileobj] };
}

/** By fdname_is_valid() of systemd's `basic/fd-util.c`. */
function checkName(name: string): void {
  if (/^[\x20-\x7e]{0,255}$/.test(name) && !name.includes(":")) return;
  throw new TypeError(
    `Cannot use ${JSON.stringify(name)} as the name of a descriptor`,
  );
}

/** The state without its descriptors, as one datagram; none if it is empty. */
function summary(state: ServiceState): Message[] {
  const lines: string[] = [];
  if (state.ready) lines.push("READY=1");
  if (state.reloading) lines.push("RELOADING=1", ...monotonicTime());
  if (state.stopping) lines.push("STOPPING=1");
  if (state.status !== undefined) lines.push(`STATUS=${line(state.status)}`);
  if (state.mainPid !== undefined) lines.push(`MAINPID=${pid(state.mainPid)}`);
  if (state.watchdog) lines.push("WATCHDOG=1");
  return lines.length === 0
    ? []
    : [{ text: lines.join("\n"), descriptors: [] }];
}

function line(text: string): string {
  if (!/[\n\0]/.test(text)) return text;
  throw new TypeError(
    `Cannot use ${JSON.stringify(text)} as a status: it must be one line`,
  );
}

function pid(number: number): number {
  if (Number.isInteger(number) && number > 0 && number <= 0x7fff_ffff) {
    return number;
  }
  throw new RangeError(`Cannot use ${number} as the number of a process`);
}

/** The time that `Type=notify-reload` compares with that of its request. */
function monotonicTime(): string[] {
  if (system().os !== "linux") return [];
  using c = bindCalls({
    // int clock_gettime(clockid_t clockid, struct timespec *tp)
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const CLOCK_MONOTONIC = 1;
  const time = new BigInt64Array(2);
  c.clock_gettime(CLOCK_MONOTONIC, time);
  return [`MONOTONIC_USEC=${time[0]! * 1_000_000n + time[1]! / 1000n}`];
}
