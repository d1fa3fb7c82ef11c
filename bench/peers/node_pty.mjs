// Reads the output of a program in a terminal of node-pty, and prints the bytes a second:
//
//     node node_pty.mjs DIRECTORY BYTES SCRIPT
//
// The directory is that of the built package node-pty.

import { createRequire } from "node:module";

const [directory, bytes, script] = process.argv.slice(2);
const { spawn } = createRequire(import.meta.url)(directory);
const start = performance.now();
const child = spawn("sh", ["-c", script], { encoding: null });
let received = 0;
child.onData((chunk) => {
  received += chunk.length;
  if (received < Number(bytes)) return;
  console.log(received / (performance.now() - start) * 1000);
  child.kill();
});
