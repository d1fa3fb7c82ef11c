/// <reference lib="deno.worker" />

/**
 * One thread of many_cores.ts: a reactor, and a server of node:http on it. Its first
 * message is the number of the listening socket, which belongs to the main thread.
 *
 * @module
 */

import { createServer } from "node:http";
import { attach } from "../adapters/node/mod.ts";
import { dup } from "../backends/ffi/mod.ts";
import { Reactor, Socket } from "../mod.ts";
import { report } from "./command_line.ts";

/**
 * How long connections may take to finish, in milliseconds. A server of node:http closes
 * idle ones after 5 s.
 */
const GRACE = 10_000;

/** The same at the end of the program. */
const FINAL_GRACE = 1000;

function serve(fd: number): void {
  const reactor = new Reactor({ onError: report });
  let isRetired = false;
  const server = createServer((_request, response) => {
    // The client opens its next connection to another thread.
    if (isRetired) response.setHeader("Connection", "close");
    response.end(`${self.name}\n`);
  });
  // A descriptor of its own for the same socket: closing it leaves the socket open.
  const acceptor = attach(server, reactor, { socket: Socket.adopt(dup(fd)) });

  self.onmessage = ({ data }): void => {
    isRetired = true;
    // A closed server of node:http closes idle connections, even if a request is on
    // its way. Without this callback it stays open, and answers.
    if (data === "retire") acceptor.onClose = null;
    reactor.shutdown({ timeout: data === "retire" ? GRACE : FINAL_GRACE });
    self.postMessage("accepts no more");
  };
  reactor.serve().then(() => {
    self.postMessage("ended");
    self.close();
  });
  server.once("listening", () => self.postMessage("ready"));
}

self.onmessage = ({ data }): void => serve(data);
