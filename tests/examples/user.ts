/** Clients that are not of this repository: netcat, and a client in Python. */

import { assertEquals } from "@std/assert";
import { absenceOf, Program } from "../program.ts";

/** Starts netcat, which most machines have. */
export function startNetcat(...args: readonly (string | number)[]): Program {
  return new Program("nc", args.map(String), { hasInput: true });
}

/** Sends one message to a server in Python, and returns the bytes up to end of file. */
export async function askInPython(
  protocol: "tcp" | "udp",
  port: number,
  message: string,
): Promise<Uint8Array> {
  const script = "tests/examples/python/ask.py";
  await using client = new Program(
    "python3",
    [script, protocol, `${port}`],
    { env: { PYTHONDONTWRITEBYTECODE: "1" }, hasInput: true },
  );
  await client.type(message);
  await client.endInput();
  const { code, errors, lines } = await client.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  return Uint8Array.fromHex(lines[0]!);
}

/** Why tests with netcat have to be ignored; undefined if it is installed. */
export const netcatAbsence: string | undefined = await absenceOf("nc", "-h");
