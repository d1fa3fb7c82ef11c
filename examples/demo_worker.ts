/// <reference lib="deno.worker" />

/**
 * The demo's second thread: a server on the descriptor whose number is the thread's name.
 *
 * @module
 */

import { Socket } from "../mod.ts";
import { serve } from "./callback_server.ts";

const server = Socket.adopt(Number(self.name));
self.postMessage("ready");
serve(server);
