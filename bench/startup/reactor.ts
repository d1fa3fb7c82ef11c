/**
 * A program that listens by a reactor, and ends.
 *
 * @module
 */

import { Reactor } from "../../mod.ts";

const reactor = new Reactor();
reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
reactor.close();
