/**
 * A UDP server that sends packets back, one of ten with a fault.
 *
 *     deno run --allow-ffi tests/bench/faulty_datagrams.ts lose
 */

import { Reactor } from "../../mod.ts";

const reactor = new Reactor();
const socket = reactor.datagram({ hostname: "127.0.0.1", port: 0 });
let count = 0;
socket.onMessage = (data, sender) => {
  const fault = ++count % 10 === 0 ? Deno.args[0] : "none";
  if (fault === "lose") return;
  if (fault === "change") data[data.length - 1]! ^= 1;
  socket.send(fault === "shorten" ? data.subarray(1) : data, sender);
  if (fault === "repeat") socket.send(data, sender);
};
console.log(`Server start at: 127.0.0.1:${socket.address.port}`);
reactor.run();
