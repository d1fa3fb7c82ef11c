/** Starts the chat for browsers and terminals. */

import type { Program, ProgramOptions } from "../program.ts";
import { startExample } from "./start.ts";

const PERMISSIONS = ["--allow-ffi", "--allow-env=WS_NO_*"];

/** The running server. */
export interface WebChat extends AsyncDisposable {
  readonly program: Program;
  /** The port of terminals. */
  readonly port: number;
  /** The port of browsers. */
  readonly webPort: number;
}

/** Starts it with the permissions that its head names. Default: at free ports. */
export function startWebChat(
  port: number = 0,
  webPort: number = 0,
  options?: ProgramOptions,
): Promise<WebChat> {
  const args = ["--port", `${port}`, "--web-port", `${webPort}`];
  return portsOf(startExample("web_chat", args, PERMISSIONS, options));
}

/** Waits until the server listens. */
export async function portsOf(program: Program): Promise<WebChat> {
  const page = await program.line(/^Page: http:\/\/127.0.0.1:\d+$/);
  return {
    program,
    port: await program.port(),
    webPort: Number(page.slice(page.lastIndexOf(":") + 1)),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
