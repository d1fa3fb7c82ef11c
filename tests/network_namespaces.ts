/**
 * Two network namespaces of a test's own, joined by a pair of virtual Ethernet devices.
 * They need root, and `ip` of iproute2.
 *
 * A socket stays in the namespace in which it was created. So one thread has sockets in
 * both, and returns to its own namespace after each.
 *
 * Source: network_namespaces(7), setns(2), veth(4).
 */

import { bindCalls } from "../backends/ffi/calls.ts";
import { close, openFile } from "../backends/ffi/mod.ts";

/** `<linux/sched.h>` */
const CLONE_NEWNET = 0x40000000;

const OWN = "/proc/thread-self/ns/net";

/** The two ends, by their addresses. */
export const FIRST = { hostname: "10.99.7.1", hostname6: "fd00:7::1" };
export const SECOND = { hostname: "10.99.7.2", hostname6: "fd00:7::2" };

/** Two namespaces, which end with a `using` scope and the sockets in them. */
export interface VethPair extends Disposable {
  /** Calls a function with this thread in the namespace of `FIRST`. */
  first<T>(body: () => T): T;
  /** The same for `SECOND`. */
  second<T>(body: () => T): T;
}

/** Opens a namespace that is new, and leaves this thread in its own. */
function newNamespace(c: Calls): number {
  const own = openFile(OWN, "r");
  try {
    c.unshare(CLONE_NEWNET);
    return openFile(OWN, "r");
  } finally {
    c.setns(own, CLONE_NEWNET);
    close(own);
  }
}

type Calls = ReturnType<typeof openCalls>;

// deno-lint-ignore explicit-function-return-type
function openCalls() {
  return bindCalls({
    // int unshare(int flags)
    unshare: { parameters: ["i32"], result: "i32" },
    // int setns(int fd, int nstype)
    setns: { parameters: ["i32", "i32"], result: "i32" },
  });
}

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
}

/**
 * Creates the namespaces.
 *
 * @param mtu The largest packet of the devices
 * @throws if that is not allowed, or a program is missing
 */
export function vethPair(mtu: number = 1500): VethPair {
  const c = openCalls();
  const fds: number[] = [];
  const inside = <T>(fd: number, body: () => T): T => {
    const own = openFile(OWN, "r");
    try {
      c.setns(fd, CLONE_NEWNET);
      return body();
    } finally {
      c.setns(own, CLONE_NEWNET);
      close(own);
    }
  };
  const end = (): void => {
    for (const fd of fds) close(fd);
    c[Symbol.dispose]();
  };
  try {
    fds.push(newNamespace(c), newNamespace(c));
    const [first, second] = fds as [number, number];
    inside(first, () => {
      const peer = `/proc/${Deno.pid}/fd/${second}`;
      run(
        "ip",
        "link",
        "add",
        "near",
        "mtu",
        `${mtu}`,
        "type",
        "veth",
        "peer",
        "name",
        "far",
        "mtu",
        `${mtu}`,
        "netns",
        peer,
      );
      configure("near", FIRST);
    });
    inside(second, () => configure("far", SECOND));
    return {
      first: (body) => inside(first, body),
      second: (body) => inside(second, body),
      [Symbol.dispose]: end,
    };
  } catch (error) {
    end();
    throw error;
  }
}

function configure(device: string, end: typeof FIRST): void {
  run("ip", "address", "add", `${end.hostname}/24`, "dev", device);
  run("ip", "address", "add", `${end.hostname6}/64`, "dev", device, "nodad");
  run("ip", "link", "set", device, "up");
}

/** The reason why there can be no namespaces here; "" if there can. */
export const noNamespaces: string = reasonAgainst();

function reasonAgainst(): string {
  if (Deno.build.os !== "linux") return " (ignored: this is not Linux)";
  try {
    vethPair()[Symbol.dispose]();
    return "";
  } catch (error) {
    return ` (ignored: ${(error as Error).message})`;
  }
}
