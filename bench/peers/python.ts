/**
 * Servers in Python.
 *
 * @module
 */

import { firstLine, type Mode, type Peer, program } from "./peer.ts";

/** The first one in PATH, and Debian's, which has the packages of Debian. */
const INTERPRETERS = ["python3", "/usr/bin/python3"];

const all: readonly Mode[] = ["echo", "fan-out"];

/** The first interpreter that has a module, or null. */
async function interpreterWith(module: string): Promise<string | null> {
  for (const interpreter of INTERPRETERS) {
    const answer = await firstLine(
      interpreter,
      "-c",
      `import ${module}; print("yes")`,
    );
    if (answer === "yes") return interpreter;
  }
  return null;
}

function python(
  name: string,
  module: string,
  modes: readonly Mode[],
  args: (mode: Mode, port: number) => string[],
): Peer {
  let interpreter = INTERPRETERS[0]!;
  return {
    name,
    modes,
    async available(): Promise<true | string> {
      const found = await interpreterWith(module);
      if (found === null) return `no Python with ${module}`;
      interpreter = found;
      return true;
    },
    version: () => firstLine(interpreter, "--version"),
    command: (mode, port) => [interpreter, ...args(mode, port)],
  };
}

/** `selectors`, the model of Pollux. */
export const pythonSelectors: Peer = python(
  "Python selectors",
  "selectors",
  ["echo"],
  (_mode, port) => [program("python_selectors_echo.py"), String(port)],
);

/** asyncio on its own loop. */
export const asyncio: Peer = python(
  "asyncio",
  "asyncio",
  all,
  (mode, port) => [program("python_asyncio.py"), mode, String(port)],
);

/** asyncio on libuv. */
export const uvloop: Peer = python(
  "uvloop",
  "uvloop",
  all,
  (mode, port) => [program("python_asyncio.py"), mode, String(port), "uvloop"],
);
