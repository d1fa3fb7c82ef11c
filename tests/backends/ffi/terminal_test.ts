/** The numbers of terminals, checked by the C compiler. */

import { assert } from "@std/assert";
import { TERMIOS_BYTES, TIOCGDEV } from "../../../backends/ffi/terminal.ts";
import { printedByC, reason } from "./c_compiler.ts";

Deno.test({
  name:
    `terminal: the C compiler confirms TIOCGDEV and the room for termios${reason}`,
  ignore: Deno.build.os !== "linux" || reason !== "",
  fn: async () => {
    const printed = await printedByC(["sys/ioctl.h", "termios.h"], [
      ["device", "TIOCGDEV"],
      ["size", "sizeof(struct termios)"],
    ]);
    const [device, size] = printed.map((line) => Number(line.split(" ")[1]));
    assert(device === TIOCGDEV, `TIOCGDEV is ${device}`);
    assert(size! <= TERMIOS_BYTES, `struct termios has ${size} bytes`);
  },
});
