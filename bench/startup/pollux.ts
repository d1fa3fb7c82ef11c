/**
 * A program that listens by `Socket`, and ends.
 *
 * @module
 */

import { Socket } from "../../mod.ts";

const socket = Socket.create();
socket.bind({ hostname: "127.0.0.1", port: 0 });
socket.listen();
socket.close();
