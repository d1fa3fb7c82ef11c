/**
 * Errors by value: a function of the C library, as it is called here, returns its
 * result or, if it fails, its error number negated, as a system call of Linux
 * does: `-EAGAIN`.
 *
 * C leaves the number in `errno`, one variable for all calls of a thread, and V8
 * and Deno make calls too. What enters a JavaScript function, goes round a loop
 * or allocates gives V8 an opportunity to compile, to collect or to look at the
 * machine's memory, which overwrites the number. So between the return of a call
 * and the load of errno nothing may stand: both are in one frame, which is the
 * one below.
 *
 * @module
 */

/** A function of a library, as `Deno.dlopen` gives it. */
export type ForeignFunction = (...parameters: never[]) => number | bigint;

/** `memcpy(to, from, bytes)`. */
type Memcpy = (
  to: BufferSource,
  from: Deno.PointerValue,
  bytes: number,
) => unknown;

/** This thread's errno. Its address never changes. */
export interface Errno {
  /** The variable itself or, if there is a `copy`, what was last copied from it. */
  readonly memory: Int32Array<ArrayBuffer>;
  /** Where the variable is. */
  readonly location: Deno.PointerValue;
  /** Fills `memory`, where a scoped permission lets nobody map it. */
  readonly copy: Memcpy | null;
}

/**
 * The frame that a call and the load of errno share.
 *
 * The mapped load comes before the result is looked at: a branch that V8 has not
 * seen taken throws its code away, and that is work too.
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
      copy(memory, location, 4);
      number = memory[0]!;
    }
    return typeof result === "bigint" ? BigInt(-number) : -number;
  };
}

/**
 * A function that returns its error number negated.
 *
 * Each gets a copy of the frame, made of its text with as many parameters as the
 * function has. V8 compiles a call by what its place in the program has seen: in a
 * frame that all share, or with parameters to be spread, a call takes 95 ns; in one
 * of its own 20, as it takes without a frame.
 *
 * @param symbol The function, which returns -1 and sets errno if it fails
 * @param length How many parameters it has
 */
export function errorByValue(
  symbol: ForeignFunction,
  length: number,
  errno: Errno,
): ForeignFunction {
  const parameters = Array.from({ length }, (_, index) => `p${index}`).join();
  const text = String(inOneFrame).replaceAll("...parameters", parameters);
  return compile(text)(symbol, errno);
}

/** A function of its text; where code may not be made of text, the one that all share. */
function compile(text: string): typeof inOneFrame {
  try {
    return new Function(`return ${text}`)();
  } catch (error) {
    if (error instanceof EvalError) return inOneFrame;
    throw error;
  }
}
