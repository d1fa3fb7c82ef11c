/**
 * DNS servers that serve the zone of the example: Debian's nsd and knot, and the
 * example itself.
 *
 * @module
 */

import { firstLine, program, which } from "../peers/peer.ts";

/** The zone file, and the zone. */
export const ZONE_FILE: string = program(
  "../../examples/dns_server/example.zone",
);
const ZONE = "example.org";

/** A server, and how to start it. */
export interface DnsServer {
  readonly name: string;
  /** Its name and version; null if it is not installed. */
  version(): Promise<string | null>;
  /**
   * The command that starts it in the foreground, in one process that answers queries.
   *
   * @param directory Its own, for its files
   */
  command(directory: string, port: number): Promise<string[]>;
}

/** Debian installs servers where only root has them in PATH. */
async function find(name: string): Promise<string | null> {
  return await which(name) ?? await which(`/usr/sbin/${name}`);
}

/** nsd, which answers from prepared responses. It would limit the rate by default. */
export const nsd: DnsServer = {
  name: "nsd",
  version: async () => {
    const path = await find("nsd");
    if (path === null) return null;
    return await firstLine("sh", "-c", `${path} -v 2>&1 | grep -o 'NSD .*'`) ||
      "nsd";
  },
  async command(directory, port): Promise<string[]> {
    const file = `${directory}/nsd.conf`;
    await Deno.writeTextFile(
      file,
      `server:
  server-count: 1
  ip-address: 127.0.0.1@${port}
  username: ""
  chroot: ""
  zonesdir: "${directory}"
  database: ""
  logfile: "${directory}/log"
  pidfile: "${directory}/pid"
  xfrdfile: "${directory}/xfrd"
  zonelistfile: "${directory}/zones"
  rrl-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: ${ZONE}
  zonefile: "${ZONE_FILE}"
`,
    );
    return [(await find("nsd"))!, "-d", "-c", file];
  },
};

/** Knot, with one thread for UDP. */
export const knot: DnsServer = {
  name: "knot",
  version: async () => {
    const path = await find("knotd");
    return path === null ? null : await firstLine(path, "--version");
  },
  async command(directory, port): Promise<string[]> {
    const file = `${directory}/knot.conf`;
    await Deno.writeTextFile(
      file,
      `server:
  rundir: "${directory}"
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${directory}"
control:
  listen: "${directory}/socket"
template:
  - id: default
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: ${ZONE}
    file: "${ZONE_FILE}"
`,
    );
    return [(await find("knotd"))!, "--config", file];
  },
};

/** The example. */
export const pollux: DnsServer = {
  name: "Pollux run()",
  version: () => Promise.resolve(""),
  command: (_directory, port) =>
    Promise.resolve([
      ...[Deno.execPath(), "run", "--allow-ffi", "--allow-read"],
      ...[program("../../examples/dns_server.ts"), "--port", String(port)],
    ]),
};
