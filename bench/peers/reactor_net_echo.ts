/**
 * The echo server of `net_echo.ts` on `reactor.net.listen`.
 *
 *     deno run --allow-ffi bench/peers/reactor_net_echo.ts 8001 [loop|pipe]
 *
 * @module
 */

import { Reactor } from "../../mod.ts";
import { serve } from "./net_echo.ts";

const reactor = new Reactor();
serve(reactor.net);
await reactor.serve();
