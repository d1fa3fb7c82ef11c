/** The echo server in C, compiled for WASI where there is a compiler. */

import { assertLess } from "@std/assert";
import { build } from "../../examples/wasi_echo/build.ts";
import { nextTurn, PATIENCE } from "../util.ts";

const directory = await Deno.makeTempDir();
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(directory, { recursive: true }),
);
/** The path of the program, if it was compiled. */
export const guest = `${directory}/echo.wasm`;
const compiled = await build(guest);

/** Why tests of the program have to be ignored; undefined if it was compiled. */
export const guestAbsence: string | undefined = compiled === true
  ? undefined
  : compiled.split("\n")[0];

/** The permissions that its host needs. */
export const GUEST_PERMISSIONS: readonly string[] = [
  "--allow-ffi",
  "--allow-read",
];

/** Waits for a server that prints nothing when it listens. */
export async function untilListening(port: number): Promise<void> {
  for (const start = performance.now();;) {
    try {
      (await Deno.connect({ port })).close();
      return;
    } catch (error) {
      assertLess(performance.now() - start, PATIENCE, `${error}`);
      await nextTurn();
    }
  }
}
