/** Changes of network interfaces, in a network namespace of the test's own. */

import { assertEquals } from "@std/assert";
import { absenceOf, Program } from "../program.ts";
import { denoProgram } from "../util.ts";
import { absence, testExamples } from "./start.ts";

/** Starts the example, and changes interfaces when a line is typed. */
const SCRIPT = `
exec 3<&0
{
  read line
  ip link add pollux0 type veth peer name pollux1
  ip link set pollux0 up
  ip link set pollux1 up
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

testExamples("link_monitor: prints each change of an interface", async () => {
  const command = [denoProgram(), "run", "--no-prompt", "--allow-ffi"];
  const args = ["-rn", "sh", "-c", SCRIPT, "sh", ...command];
  await using program = new Program("unshare", args, { hasInput: true });
  await program.line(/^Waiting for changes$/);
  await program.type("\n");
  await program.line(/^pollux0 is removed$/);
  program.kill("SIGINT");
  const { signal, errors, lines } = await program.ending();
  assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
  const ours = lines.filter((line) => line.startsWith("pollux0"));
  assertEquals(ours[0], "pollux0 is down");
  assertEquals(ours.includes("pollux0 is up"), true);
  assertEquals(ours.at(-1), "pollux0 is removed");
}, await findAbsence());
