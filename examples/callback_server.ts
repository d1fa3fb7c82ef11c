// Step 8 of docs/io_multiplexing.md: the server with callbacks. The data of a key is the
// function to call when its file object is ready, so the loop has no branches.
//
//     deno run --allow-ffi examples/callback_server.ts
//
// Then, in another terminal: deno run --allow-ffi examples/multi_client.ts

import {
  DefaultSelector,
  EVENT_READ,
  EVENT_WRITE,
  formatAddress,
  type InternetAddress,
  isSystemError,
  type Socket,
} from "../mod.ts";
import { main, parseCommandLine } from "./command_line.ts";
import { Acceptor, listen, receive } from "./peer.ts";
import { addressRepr, bytesRepr } from "./python_notation.ts";

type Callback = (sock: Socket, mask: number) => void;

const encoder = new TextEncoder();

/** Opens the server's socket, and prints its address. */
export function start(address: InternetAddress): Socket {
  const server = listen(address);
  console.log(`Server start at: ${formatAddress(server.localAddress)}`);
  return server;
}

/** Serves all clients, and never returns. */
export function serve(server: Socket): never {
  using selector = new DefaultSelector<Callback, Socket>();

  function accept(_sock: Socket, _mask: number): void {
    const accepted = acceptor.accept();
    if (accepted === null) return;
    const [conn, address] = accepted;
    console.log(`Connected by ${addressRepr(address)}`);
    selector.register(conn, EVENT_READ, read);
  }

  function read(conn: Socket, _mask: number): void {
    const data = receive(conn);
    if (data === null) return;
    if (data.length === 0) return close(conn);
    const shown = bytesRepr(data);
    console.log(`received "${shown}" from ${addressRepr(conn.remoteAddress)}`);
    send(conn, encoder.encode(`Server received ${shown}`));
  }

  /** The article loses bytes that have no room. Here they are sent before more is read. */
  function send(conn: Socket, message: Uint8Array<ArrayBuffer>): void {
    const sent = Math.max(conn.send(message), 0);
    if (sent === message.length) {
      return void selector.modify(conn, EVENT_READ, read);
    }
    const rest = message.subarray(sent);
    selector.modify(conn, EVENT_WRITE, (conn) => send(conn, rest));
  }

  function close(conn: Socket): void {
    selector.unregister(conn);
    conn.close();
  }

  const acceptor = new Acceptor(
    server,
    () => selector.register(server, EVENT_READ, accept),
    () => selector.unregister(server),
  );
  for (;;) {
    const events = selector.select(acceptor.timeout());
    for (const [key, mask] of events) {
      const callback = key.data;
      try {
        callback(key.fileobj, mask);
      } catch (error) {
        // A reset ends one connection. It ends the article's whole server.
        if (key.fileobj === server || !isSystemError(error)) throw error;
        close(key.fileobj);
      }
    }
  }
}

if (import.meta.main) {
  await main(() => serve(start(parseCommandLine().address)));
}
