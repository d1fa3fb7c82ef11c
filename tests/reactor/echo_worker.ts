/**
 * A thread with a reactor of its own: echoes until it receives "stop".
 */

import { Reactor } from "../../reactor/mod.ts";

const reactor = new Reactor();
const acceptor = reactor.listen(
  { hostname: "127.0.0.1", port: 0 },
  (connection) => {
    connection.onData = (chunk) => {
      if (new TextDecoder().decode(chunk) === "stop") reactor.stop();
      else connection.write(chunk);
    };
  },
);
self.postMessage(acceptor.address);
reactor.run();
reactor.close();
self.postMessage("stopped");
