// A chat: everybody hears what everybody else says.
//
//     deno run --allow-ffi examples/chat.ts
//
// Then, in as many other terminals as there are guests:
//
//     deno run --allow-ffi examples/chat.ts --connect
//
// `nc 127.0.0.1 8001` does as well. Ctrl-D or Ctrl-C leaves.

import {
  type Connection,
  formatAddress,
  type InternetAddress,
  Reactor,
  read,
  write,
} from "../mod.ts";
import { main, parseCommandLine, report } from "./command_line.ts";

/** Nobody waits for a guest who does not read: with more bytes than this unread, the visit ends. */
const MAXIMUM_QUEUED = 64 * 1024;

const LONGEST_LINE = 1000;
const NAME = /^[\p{Letter}\p{Number}_-]{1,20}$/u;

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;

/** Everybody who has given a name. */
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
  tell(connection, "What is your name?");
  onLines(connection, (line) => {
    if (name === null) name = enter(connection, line);
    else if (line !== "") tellOthers(name, `${name}: ${line}`);
  });
  connection.onClose = () => {
    if (name !== null) leave(name);
  };
}

/** Calls back with each line, without what would give orders to the others' terminals. */
function onLines(connection: Connection, hear: (line: string) => void): void {
  const decoder = new TextDecoder();
  let rest = "";
  const take = (line: string): void =>
    hear(line.slice(0, LONGEST_LINE).replace(/\p{Control}/gu, "").trim());
  connection.onData = (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    // A line that does not end may not fill the memory.
    rest = lines.pop()!.slice(0, LONGEST_LINE);
    lines.forEach(take);
  };
  connection.onEnd = () => {
    if (rest !== "") take(rest);
    connection.end();
  };
}

/** Returns the guest's name, or null if it will not do. */
function enter(connection: Connection, name: string): string | null {
  const refusal = !NAME.test(name)
    ? "A name is up to 20 letters and digits."
    : guests.has(name)
    ? `There is a ${name} here already.`
    : null;
  if (refusal !== null) {
    tell(connection, `${refusal} What is your name?`);
    return null;
  }
  const others = [...guests.keys()].join(", ") || "nobody";
  tell(connection, `Welcome, ${name}. You are with ${others}.`);
  guests.set(name, connection);
  announce(name, `${name} has joined`);
  return name;
}

function leave(name: string): void {
  guests.delete(name);
  announce(name, `${name} has left`);
}

/** What all should know, and whoever watches the server. */
function announce(about: string, line: string): void {
  console.log(line);
  tellOthers(about, line);
}

function tellOthers(name: string, line: string): void {
  for (const [other, connection] of guests) {
    if (other !== name) tell(connection, line);
  }
}

function tell(connection: Connection, line: string): void {
  connection.write(new TextEncoder().encode(`${line}\n`));
}

/** Waits for the keyboard and the server at once. */
function visit(address: InternetAddress): void {
  using reactor = new Reactor({ onError: rethrow });
  const connection = reactor.connect(address);
  const buffer = new Uint8Array(4096);

  // Once each time there is something: the terminal is left to wait as it was found, since
  // the flag that says so is the shell's too, and a second read would wait for the next line.
  function speak(): void {
    const count = read(STANDARD_INPUT, buffer);
    const finished = count === 0;
    const goesOn = count < 1 || connection.write(buffer.subarray(0, count));
    if (finished || !goesOn) reactor.removeReader(STANDARD_INPUT);
    if (finished) connection.end();
  }

  reactor.addReader(STANDARD_INPUT, speak);
  connection.onDrain = () => reactor.addReader(STANDARD_INPUT, speak);
  connection.onData = (chunk) => void write(STANDARD_OUTPUT, chunk);
  connection.onClose = (error) => {
    if (error !== undefined) throw error;
    const left = !reactor.removeReader(STANDARD_INPUT);
    if (!left) console.log("The server has ended the chat.");
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
  if (values.connect) visit(address);
  else serve(address);
});
