/** A program of `signals_test.ts` that Ctrl-C ends while its run() has the thread. */

import { Reactor } from "../../reactor/mod.ts";

using reactor = new Reactor();
reactor.onSignal("SIGINT", () => {
  console.log("SIGINT");
  reactor.stop();
});
// A watch does not keep run() going: this timer does.
reactor.callLater(60_000, () => {});
reactor.callSoon(() => console.log("running"));
reactor.run();
