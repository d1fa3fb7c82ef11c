/**
 * Compares Pollux with its peers.
 *
 *     deno task bench:peers [--only WORD] [--except WORD] [--peer WORD] [--install] [--markdown]
 *
 * @module
 */

import { asDenoHasIt, reactorNet } from "./peers/as_deno_has_it.ts";
import { bareFfi } from "./peers/bare_ffi.ts";
import { bun } from "./peers/bun.ts";
import { cEpoll } from "./peers/c_epoll.ts";
import { libevent, libuv } from "./peers/c_library.ts";
import { datagramPeers } from "./peers/datagrams.ts";
import { denoListen } from "./peers/deno_listen.ts";
import { node, nodeNetInDeno } from "./peers/node_net.ts";
import {
  polluxOthers,
  polluxOwnChunks,
  polluxRun,
  polluxSelector,
  polluxServe,
} from "./peers/pollux.ts";
import { asyncio, pythonSelectors, uvloop } from "./peers/python.ts";
import { run } from "./run.ts";

await run([
  cEpoll,
  polluxRun,
  polluxServe,
  polluxOwnChunks,
  ...polluxOthers,
  polluxSelector,
  reactorNet,
  bareFfi,
  denoListen,
  nodeNetInDeno,
  node,
  bun,
  pythonSelectors,
  asyncio,
  uvloop,
  libuv,
  libevent,
  ...asDenoHasIt,
  ...datagramPeers,
], { rounds: 12, slice: 150, only: [] });
