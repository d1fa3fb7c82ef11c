// A chat: the server sends each line to all other guests, and the client waits for the
// keyboard and its socket at once. A scenario of step 12 of docs/io_multiplexing.md.
//
//     deno run --allow-ffi examples/chat.ts
//
// Then, in another terminal for each guest:
//
//     deno run --allow-ffi examples/chat.ts --connect
//
// `nc 127.0.0.1 8001` works, too. Ctrl-D or Ctrl-C leaves. On Windows the client also
// takes --allow-read=., and Ctrl-Z leaves.

import {
  type Connection,
  formatAddress,
  type InternetAddress,
  Reactor,
} from "../mod.ts";
import { main, parseCommandLine, refuse, report } from "./command_line.ts";
import { openKeyboard } from "./keyboard.ts";

/** With more unread bytes than this a guest is disconnected, so that no other guest waits. */
const MAXIMUM_QUEUED = 64 * 1024;

const QUESTION = "What is your name?";
const LONGEST_LINE = 1000;
const NAME = /^[\p{Letter}\p{Number}_-]{1,20}$/u;

/** The connections that have a name. */
const guests = new Map<string, Connection>();

function serve(address: InternetAddress): void {
  using reactor = new Reactor({ onError: report });
  const options = { ...address, maximumQueued: MAXIMUM_QUEUED };
  const server = reactor.listen(options, welcome);
  console.log(`Server start at: ${formatAddress(server.address)}`);
  reactor.run();
}

function welcome(connection: Connection): void {
  let name: string | null = null;
  sendLine(connection, QUESTION);
  onLines(connection, (line) => {
    if (name === null) name = enter(connection, line);
    else if (line !== "") sendToOthers(name, `${name}: ${line}`);
  });
  connection.onClose = () => {
    if (name !== null) leave(name);
  };
}

/** Calls back with each line, without the control characters that terminals obey. */
function onLines(
  connection: Connection,
  callback: (line: string) => void,
): void {
  const decoder = new TextDecoder();
  let rest = "";
  const take = (line: string): void =>
    callback(line.slice(0, LONGEST_LINE).replace(/\p{Control}/gu, "").trim());
  connection.onData = (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    // A line without an end must not fill the memory.
    rest = lines.pop()!.slice(0, LONGEST_LINE);
    lines.forEach(take);
  };
  connection.onEnd = () => {
    if (rest !== "") take(rest);
    connection.end();
  };
}

/** Returns the guest's name, or null if the guest has to choose another. */
function enter(connection: Connection, name: string): string | null {
  const refusal = !NAME.test(name)
    ? "A name is up to 20 letters and digits."
    : guests.has(name)
    ? `There is a ${name} here already.`
    : null;
  if (refusal !== null) {
    sendLine(connection, `${refusal} ${QUESTION}`);
    return null;
  }
  const others = [...guests.keys()].join(", ") || "no other guest";
  sendLine(connection, `Welcome, ${name}. You are with ${others}.`);
  guests.set(name, connection);
  announce(name, `${name} has joined`);
  return name;
}

function leave(name: string): void {
  guests.delete(name);
  announce(name, `${name} has left`);
}

/** Sends a line about a guest to all others, and prints it. */
function announce(name: string, line: string): void {
  console.log(line);
  sendToOthers(name, line);
}

function sendToOthers(name: string, line: string): void {
  for (const [other, connection] of guests) {
    if (other !== name) sendLine(connection, line);
  }
}

function sendLine(connection: Connection, line: string): void {
  connection.write(`${line}\n`);
}

/** Waits for the keyboard and the server at once. */
function visit(address: InternetAddress): void {
  using reactor = new Reactor({ onError: rethrow });
  const connection = reactor.connect(address);
  const keyboard = openKeyboard(reactor);
  keyboard.onData = (chunk) => {
    if (!connection.write(chunk)) keyboard.pause();
  };
  keyboard.onEnd = () => connection.end();
  connection.onDrain = () => keyboard.resume();
  connection.onData = (chunk) => void Deno.stdout.writeSync(chunk);
  connection.onClose = (error) => {
    if (error !== undefined) throw error;
    if (!keyboard.closed) console.log("The server has ended the chat.");
    keyboard.close();
  };
  reactor.run();
}

function rethrow(error: unknown): never {
  throw error;
}

await main(() => {
  const { address, values } = parseCommandLine({
    connect: { type: "boolean" },
  });
  // Only a server can leave the choice of its port to the system.
  if (values.connect && address.port === 0) refuse("Cannot connect to port 0");
  if (values.connect) visit(address);
  else serve(address);
});
