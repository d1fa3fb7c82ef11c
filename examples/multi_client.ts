// The article's client: two sockets that say the same in parts. Start one of the
// servers in another terminal, and then
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

/** A plain client has nothing else to do: its sockets wait. */
function connect(address: InternetAddress): Socket {
  const socket = Socket.create(
    address.hostname.includes(":") ? "IPv6" : "IPv4",
  );
  socket.setBlocking(true);
  socket.connect(address);
  return socket;
}

function send(socket: Socket, message: string): void {
  const data = new TextEncoder().encode(message);
  const name = addressRepr(socket.localAddress);
  console.log(`${name}: sending ${bytesRepr(data)}`);
  // The article forgets what `send` did not take.
  let sent = 0;
  while (sent < data.length) sent += socket.send(data.subarray(sent));
}

/** Returns whether the server is still there. */
function receive(socket: Socket): boolean {
  const name = addressRepr(socket.localAddress);
  const data = buffer.subarray(0, socket.recv(buffer));
  console.log(`${name}: received ${bytesRepr(data)}`);
  if (data.length > 0) return true;
  console.log(`closing socket ${name}`);
  socket.close();
  return false;
}

/** Connects, says everything, and prints it beside the replies. */
export function converse(address: InternetAddress): void {
  console.log(`connecting to ${address.hostname} port ${address.port}`);
  let sockets = [connect(address), connect(address)];

  for (const message of messages) {
    for (const socket of sockets) send(socket, message);
    // The article goes on with a socket that it has closed.
    sockets = sockets.filter(receive);
  }

  for (const socket of sockets) socket.close();
}

if (import.meta.main) await main(() => converse(parseCommandLine().address));
