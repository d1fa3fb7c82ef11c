/**
 * The environment variables by which systemd and a service know each other. Each needs
 * `--allow-env`, which takes their names.
 *
 * Sources: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
 *
 * @module
 */

/** The variables of sd_listen_fds(3), which are for one process alone. */
const LISTEN = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] as const;

/** The first descriptor that is passed: SD_LISTEN_FDS_START. */
const LISTEN_FDS_START = 3;

/** The name of a descriptor without one, as in sd_listen_fds_with_names(3). */
const NO_NAME = "unknown";

/** A descriptor that the service manager has passed. */
export interface PassedDescriptor {
  readonly name: string;
  readonly fd: number;
}

/**
 * Returns the descriptors that were passed to this process, and unsets the variables.
 * Otherwise a child process would take descriptors that it does not have.
 *
 * @throws {Deno.errors.InvalidData} if the variables contradict each other
 */
export function takePassed(): PassedDescriptor[] {
  const [pid, count, names] = LISTEN.map((name) => Deno.env.get(name));
  for (const name of LISTEN) Deno.env.delete(name);
  // A parent process may have left the variables of its own.
  if (pid !== String(Deno.pid)) return [];
  const length = wholeNumber("LISTEN_FDS", count ?? "0");
  const given = names === undefined || names === ""
    ? Array<string>(length).fill(NO_NAME)
    : names.split(":");
  if (given.length !== length) {
    throw new Deno.errors.InvalidData(
      `Cannot name ${length} descriptors by LISTEN_FDNAMES=${names}`,
    );
  }
  return given.map((name, index) => ({ name, fd: LISTEN_FDS_START + index }));
}

/** The path or the abstract name of NOTIFY_SOCKET; null without a service manager. */
export function notifyPath(): string | null {
  const path = Deno.env.get("NOTIFY_SOCKET");
  if (path === undefined || path === "") return null;
  if (path.startsWith("/")) return path;
  if (path.startsWith("@")) return `\0${path.slice(1)}`;
  throw new Deno.errors.NotSupported(
    `Cannot send to NOTIFY_SOCKET=${path}: it must be a Unix socket`,
  );
}

/** WATCHDOG_USEC in milliseconds; null if it is unset, or for another process. */
export function watchdogTime(): number | null {
  const time = Deno.env.get("WATCHDOG_USEC");
  const pid = Deno.env.get("WATCHDOG_PID");
  if (time === undefined) return null;
  if (pid !== undefined && pid !== String(Deno.pid)) return null;
  const microseconds = wholeNumber("WATCHDOG_USEC", time);
  return microseconds === 0 ? null : microseconds / 1000;
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Deno.errors.InvalidData(
    `Cannot use ${name}=${text}: it must be a whole number`,
  );
}
