/**
 * Clients that are not of this repository: netcat, and a client in Python. Where they are
 * not installed, clients on Deno's sockets take their places.
 */

import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { assertEquals } from "@std/assert";
import { absenceOf, Program } from "../program.ts";
import { bytesOf } from "../util.ts";
import { DatagramTypist, StreamTypist, type Typist } from "./netcat.ts";
import { absence } from "./start.ts";

const HOST = "127.0.0.1";

const hasNetcat = await absenceOf("nc", "-h") === undefined;
const hasPython = absence.python === undefined;

/** The client that `startNetcat()` starts, for the names of tests. */
export const netcat: string = hasNetcat ? "nc" : "Deno";

/** The language of the client that `ask()` uses. */
export const language: string = hasPython ? "Python" : "TypeScript";

/** Starts netcat, which most machines have: `[-u | -N] HOST PORT`. */
export function startNetcat(...args: readonly (string | number)[]): Typist {
  if (hasNetcat) {
    return new Program("nc", args.map(String), { hasInput: true });
  }
  const [hostname, port] = args.slice(-2);
  if (args.includes("-u")) {
    return new DatagramTypist(String(hostname), Number(port));
  }
  return new StreamTypist(String(hostname), Number(port), args.includes("-N"));
}

/** Sends one message to a server, and returns the bytes up to end of file. */
export function ask(
  protocol: "tcp" | "udp",
  port: number,
  message: string,
): Promise<Uint8Array> {
  if (hasPython) return askInPython(protocol, port, message);
  return protocol === "tcp" ? askTcp(port, message) : askUdp(port, message);
}

async function askInPython(
  protocol: string,
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

async function askTcp(port: number, message: string): Promise<Uint8Array> {
  using connection = await Deno.connect({ hostname: HOST, port });
  const send = async (): Promise<void> => {
    for (let rest = bytesOf(message); rest.length > 0;) {
      rest = rest.subarray(await connection.write(rest));
    }
    await connection.closeWrite();
  };
  const [answer] = await Promise.all([readAll(connection), send()]);
  return answer;
}

/** Reads to end of file. Unlike its `readable`, that leaves the connection open. */
async function readAll(connection: Deno.Conn): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = new Uint8Array(64 * 1024);
    const count = await connection.read(chunk);
    if (count === null) return new Uint8Array(Buffer.concat(chunks));
    chunks.push(chunk.subarray(0, count));
  }
}

async function askUdp(port: number, message: string): Promise<Uint8Array> {
  const socket = createSocket("udp4");
  try {
    const answered = once(socket, "message");
    socket.send(message, port, HOST);
    const [answer] = await answered;
    return new Uint8Array(answer);
  } finally {
    socket.close();
  }
}
