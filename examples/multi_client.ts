// Step 2 of docs/io_multiplexing.md: the client, whose two sockets send the parts of a
// message in turn. First start one of the servers in another terminal.
//
//     deno run --allow-ffi examples/multi_client.ts

import { type InternetAddress, Socket } from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { addressRepr, bytesRepr } from "./python_notation.ts";

const messages = [
  "This is ",
  "the message. ",
  "It will be sent ",
  "in parts.",
];

const buffer = new Uint8Array(1024);

/** The descriptor of a closed socket. */
const CLOSED = -1;

/** This client has one thing to do at a time: its sockets block. */
function connect(address: InternetAddress): Socket {
  const socket = Socket.createFor(address);
  socket.setBlocking(true);
  socket.connect(address);
  return socket;
}

function send(socket: Socket, message: string): void {
  const data = new TextEncoder().encode(message);
  const name = addressRepr(socket.localAddress);
  console.log(`${name}: sending ${bytesRepr(data)}`);
  // The article loses bytes that one `send` does not take.
  let sent = 0;
  while (sent < data.length) sent += socket.send(data.subarray(sent));
}

/** Prints one reply. At end of file, closes the socket. */
function receive(socket: Socket): void {
  const data = buffer.subarray(0, socket.recv(buffer));
  console.log(
    `${addressRepr(socket.localAddress)}: received ${bytesRepr(data)}`,
  );
  if (data.length === 0) socket.close();
}

/** Connects, sends all messages, and prints messages and replies. */
export function converse(address: InternetAddress): void {
  console.log(`connecting to ${address.hostname} port ${address.port}`);
  const sockets = [connect(address), connect(address)];

  for (const [index, message] of messages.entries()) {
    const inTurn = sockets.filter((socket, position) =>
      // The article sends to a socket that it has closed.
      position % 2 === index % 2 && socket.fd !== CLOSED
    );
    for (const socket of inTurn) send(socket, message);
    for (const socket of inTurn) receive(socket);
  }

  for (const socket of sockets) socket.close();
}

if (import.meta.main) await main(() => converse(parseCommandLine().address));
