/**
 * The ping of a ping-pong on Deno's own network, until it is killed.
 *
 *     deno run --allow-net bench/sharing/ping.ts PORT
 *
 * @module
 */

const port = Number(Deno.args[0]);
const server = await Deno.connect({ hostname: "127.0.0.1", port });
const byte = new Uint8Array(1);
do await server.write(byte); while (await server.read(byte) !== null);
