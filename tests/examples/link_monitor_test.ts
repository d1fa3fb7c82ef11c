/** Changes of network interfaces, in a network namespace of the test's own. */

import { assert, assertEquals } from "@std/assert";
import { absenceOf, Program } from "../program.ts";
import { denoProgram } from "../util.ts";
import { absence, testExamples } from "./start.ts";

/** Starts the example, and changes interfaces when lines are typed. */
const SCRIPT = `
exec 3<&0
{
  read line
  ip link add pollux0 type veth peer name pollux1
  ip link set pollux0 up
  ip link set pollux1 up
  ip address add 192.0.2.1/24 dev pollux0
  ip -6 address add 2001:db8::1/64 dev pollux0 nodad
  ip route add default via 192.0.2.254
  ip route add 198.51.100.0/24 dev pollux0
  ip route delete 198.51.100.0/24
  ip address delete 192.0.2.1/24 dev pollux0
  # The kernel adds the IPv6 address later.
  read line
  ip link delete pollux0
} <&3 3<&- &
exec "$@" examples/link_monitor.ts
`;

async function findAbsence(): Promise<string | undefined> {
  if (absence.epoll !== undefined) return absence.epoll;
  const missing = await absenceOf("ip", "-V") ??
    await absenceOf("unshare", "--version");
  if (missing !== undefined) return missing;
  const script = "ip link add pollux0 type veth peer name pollux1";
  const { success } = await new Deno.Command("unshare", {
    args: ["-rn", "sh", "-c", script],
    stderr: "null",
  }).output();
  return success ? undefined : "network namespaces are not permitted";
}

const absent = await findAbsence();

/** Runs the example until the interface is removed, and returns its lines. */
async function monitor(): Promise<readonly string[]> {
  const command = [denoProgram(), "run", "--no-prompt", "--allow-ffi"];
  const args = ["-rn", "sh", "-c", SCRIPT, "sh", ...command];
  await using program = new Program("unshare", args, { hasInput: true });
  await program.line(/^Waiting for changes$/);
  await program.line(/^lo is down$/);
  await program.type("\n");
  await program.line(/^pollux0 has address 2001:db8::1\/64$/);
  await program.line(/^pollux0 no longer has address 192/);
  await program.type("\n");
  await program.line(/^pollux0 is removed$/);
  program.kill("SIGINT");
  const { signal, errors, lines } = await program.ending();
  assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
  return lines;
}

testExamples("link_monitor: prints each change of an interface", async () => {
  const lines = await monitor();
  const ours = lines.filter((line) => line.startsWith("pollux0 is"));
  assertEquals(ours[0], "pollux0 is down");
  assertEquals(ours.includes("pollux0 is up"), true);
  assertEquals(ours.at(-1), "pollux0 is removed");
}, absent);

testExamples(
  "link_monitor: prints each address and route in words",
  async () => {
    const wanted = [
      "pollux0 has address 192.0.2.1/24",
      "The route to 192.0.2.0/24 through pollux0 is added",
      "The default route by 192.0.2.254 through pollux0 is added",
      "The route to 198.51.100.0/24 through pollux0 is added",
      "The route to 198.51.100.0/24 through pollux0 is removed",
      "pollux0 no longer has address 192.0.2.1/24",
    ];
    const lines = await monitor();
    assertEquals(lines.filter((line) => wanted.includes(line)), wanted);
    assert(lines.includes("pollux0 has address 2001:db8::1/64"));
  },
  absent,
);
