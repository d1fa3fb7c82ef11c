/**
 * Errors by value: each function of the C library returns its result or its error
 * number negated, as in `-EAGAIN`. System calls of Linux do the same.
 *
 * C leaves the number in `errno`, one variable for all calls of a thread, and V8 and
 * Deno make calls too. Entering a JavaScript function, a loop or an allocation lets
 * V8 compile, collect or examine the machine's memory, which overwrites the number.
 * So nothing may come between the return of a call and the load of errno: the frame
 * below has both.
 *
 * @module
 */

/** A function of a library, as `Deno.dlopen` gives it. */
export type ForeignFunction = (...parameters: never[]) => number | bigint;

/** A function that returns a pointer. */
type PointerFunction = (...parameters: never[]) => Deno.PointerValue;

/** `memcpy(to, from, bytes)`: it takes the source as `location` has it. */
type Memcpy = (to: BufferSource, from: never, bytes: number) => unknown;

/** This thread's errno. Its address never changes. */
export interface Errno {
  /** The variable itself or, if there is a `copy`, its last copy. */
  readonly memory: Int32Array<ArrayBuffer>;
  /** The address of the variable. */
  readonly location: Deno.PointerValue | bigint;
  /** Fills `memory` under a scoped permission, which cannot map it. */
  readonly copy: Memcpy | null;
}

/**
 * The frame that a call and the load of errno share.
 *
 * The mapped load comes before the result is examined. V8 discards its code at a
 * branch that it has not seen taken, and that is work too.
 */
function inOneFrame(
  symbol: ForeignFunction,
  { memory, location, copy }: Errno,
): ForeignFunction {
  return (...parameters) => {
    const result = symbol(...parameters);
    let number = memory[0]!;
    if (result >= 0) return result;
    if (copy !== null) {
      copy(memory, location as never, 4);
      number = memory[0]!;
    }
    return typeof result === "bigint" ? BigInt(-number) : -number;
  };
}

/**
 * The same for a function that returns null if it fails, and else a pointer. Null
 * without an error number stays null.
 */
function pointerInOneFrame(
  symbol: PointerFunction,
  { memory, location, copy }: Errno,
): (...parameters: never[]) => Deno.PointerValue | number {
  return (...parameters) => {
    const result = symbol(...parameters);
    let number = memory[0]!;
    if (result !== null) return result;
    if (copy !== null) {
      copy(memory, location as never, 4);
      number = memory[0]!;
    }
    return number === 0 ? null : -number;
  };
}

/**
 * Returns a function that returns its error number negated.
 *
 * Each gets a copy of the frame, made from its text with as many parameters as the
 * function has. V8 compiles a call for the functions seen at its place in the
 * program. In a shared frame, or with spread parameters, a call takes 95 ns. In its
 * own frame it takes 20, as without one.
 *
 * @param symbol The function, which returns -1 or null and sets errno if it fails
 * @param length Its number of parameters
 * @param returnsPointer Whether it returns null if it fails
 */
export function errorByValue(
  symbol: ForeignFunction,
  length: number,
  errno: Errno,
  returnsPointer = false,
): ForeignFunction {
  const frame = returnsPointer ? pointerInOneFrame : inOneFrame;
  return withParameters(frame as typeof inOneFrame, length)(symbol, errno);
}

/**
 * Makes a function anew from its text, with a list of parameters in the place of
 * `...parameters`. Without permission to do so it returns the function itself.
 *
 * @param template Uses its own parameters alone
 * @param length The number of parameters in the list
 * @param name Distinguishes the text from others: V8 has one record of the functions
 *   that were seen in a call for all functions of the same text
 */
export function withParameters<F extends (...parameters: never[]) => unknown>(
  template: F,
  length: number,
  name: string = "",
): F {
  const list = Array.from({ length }, (_, index) => `p${index}`).join();
  const text = String(template).replaceAll("...parameters", list);
  try {
    return new Function(`/* ${name} */ return ${text}`)();
  } catch (error) {
    if (error instanceof EvalError) return template;
    throw error;
  }
}
