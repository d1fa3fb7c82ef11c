/**
 * The environment of a child: that of this process, as C has it, with changes.
 *
 * It is read from the C library rather than from `Deno.env`. That takes no permission,
 * and leaves variables that are not UTF-8 as they are.
 *
 * @module
 */

import { cString } from "../../backends/ffi/calls.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { processCalls } from "../../backends/ffi/process_calls.ts";
import type { CString } from "./c_vectors.ts";
import { required } from "./numbers.ts";

const DEFAULT_TERM = "xterm-256color";

/** How the environment is made. */
export interface EnvironmentOptions {
  /** Variables in addition to those of this process, or instead of them. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether the child gets no variable of this process. */
  readonly clearEnv: boolean;
  /** Whether TERM is set if nothing else does. */
  readonly needsTerm: boolean;
}

/**
 * The variables of a child, each as "NAME=value".
 *
 * @throws {TypeError} if a name is empty or has a "=", or a NUL is in it or its value
 * @throws {Deno.errors.NotSupported} if this system's library hides its environment
 */
export function environment(
  { env, clearEnv, needsTerm }: EnvironmentOptions,
): CString[] {
  const own = Object.entries(env).map(([name, value]) => {
    if (name !== "" && !name.includes("=")) return cString(`${name}=${value}`);
    throw new TypeError(`Cannot set variable ${JSON.stringify(name)}`);
  });
  const inherited = clearEnv ? [] : inheritedVariables();
  const isChanged = own.length > 0 || needsTerm;
  const named = isChanged ? inherited.map(nameAt) : [];
  const kept = inherited.filter((_, index) =>
    !isChanged || !Object.hasOwn(env, named[index]!)
  );
  const hasTerm = Object.hasOwn(env, "TERM") || named.includes("TERM");
  const term = needsTerm && !hasTerm ? [cString(`TERM=${DEFAULT_TERM}`)] : [];
  return [...own, ...kept, ...term];
}

/** The addresses in `environ`. */
function inheritedVariables(): bigint[] {
  const location = processCalls._NSGetEnviron?.() ?? processCalls.environ;
  const pointer = new BigUint64Array(new ArrayBuffer(8));
  libc().memcpyFrom(pointer, required(location, "environ"), 8);
  const variables: bigint[] = [];
  // An empty environment may be a null pointer.
  for (let at = pointer[0]!; at !== 0n; at += 8n) {
    libc().memcpyFromAddress(pointer, at, 8);
    if (pointer[0] === 0n) break;
    variables.push(pointer[0]!);
  }
  return variables;
}

const decoder = new TextDecoder();

/** The name of the variable at an address. */
function nameAt(address: bigint): string {
  const text = new Uint8Array(new ArrayBuffer(libc().strlen(address)));
  libc().memcpyFromAddress(text, address, text.length);
  const end = text.indexOf("=".charCodeAt(0));
  return decoder.decode(end < 0 ? text : text.subarray(0, end));
}
