/**
 * One call of a library: opened, with its errors thrown, and repeated if a signal
 * interrupts it. See `calls.ts`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { WOULD_BLOCK } from "./descriptor.ts";
import { type ForeignFunction, withParameters } from "./errno.ts";
import { systemError } from "./errors.ts";
import { libraryPath, openClosable, opens } from "./library.ts";
import { checkOptions, type OptionNames } from "./options.ts";
import { holding } from "./parked_call.ts";
import { onStack, padded } from "./variadic.ts";

/** A function of a library, as `bindCalls()` takes it. */
export interface CallDefinition {
  /** The types of its parameters, as `Deno.dlopen` has them. */
  readonly parameters: readonly Deno.NativeType[];
  /**
   * The types of the arguments behind the "..." of a variadic function: integers and
   * pointers. Deno passes floating point numbers wrongly there.
   */
  readonly variadic?: readonly Deno.NativeType[];
  /** The type of its result, as `Deno.dlopen` has it. */
  readonly result: Deno.NativeResultType;
  /** The symbol's name. Default: the key of the definition */
  readonly name?: string;
  /**
   * How it reports errors. Default: "errno" for signed results, else "none".
   *
   * - "errno": the result is negative, or null for a pointer, and errno has the number
   * - "result": the result is the number, as of posix_spawn(3)
   * - "none": every result is returned
   */
  readonly errors?: "errno" | "result" | "none";
  /** Return `WOULD_BLOCK` (-1) for EAGAIN instead of throwing. Default: false */
  readonly wouldBlock?: boolean;
  /**
   * Whether the call is repeated after EINTR. Default: true. Set it to false for
   * close(2) and connect(2), which must not be repeated.
   */
  readonly repeat?: boolean;
  /** Whether the function is null, instead of an error, if it is missing. Default: false */
  readonly optional?: boolean;
  /**
   * Whether it runs on another thread, and returns a promise. The error number stays
   * there: the promise resolves to the plain result. Buffers that are passed, and the
   * library, stay in memory until then. Default: false
   */
  readonly nonblocking?: boolean;
}

/** A library, with the functions that were opened of it. */
export class Library {
  readonly isLibc: boolean;
  readonly #path: string | undefined;
  readonly #closes: (() => void)[] = [];
  /** How many calls of it are under way on other threads. */
  #underWay = 0;
  #isClosed = false;

  /** @param path Its path. Default: the C library */
  constructor(path?: string) {
    this.isLibc = path === undefined;
    this.#path = path;
  }

  /** The path of the library, which has to be open. */
  get path(): string {
    this.requireOpen();
    return this.#path ?? libraryPath();
  }

  /** @throws {Deno.errors.BadResource} if it is closed */
  requireOpen(): void {
    if (this.#isClosed) throw new Deno.errors.BadResource("Library is closed");
  }

  /** Adds the function that closes an opened one. */
  add(close: () => void): void {
    this.#closes.push(close);
  }

  /** Keeps the library in memory until a call on another thread has returned. */
  async during<T>(call: Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      return await call;
    } finally {
      this.#underWay--;
      this.#unload();
    }
  }

  /** Closes all, once the calls on other threads have returned. */
  close(): void {
    this.#isClosed = true;
    this.#unload();
  }

  #unload(): void {
    if (!this.#isClosed || this.#underWay > 0) return;
    for (const close of this.#closes.splice(0)) close();
  }
}

const KEYS: OptionNames<CallDefinition> = {
  parameters: true,
  variadic: true,
  result: true,
  name: true,
  errors: true,
  wouldBlock: true,
  repeat: true,
  optional: true,
  nonblocking: true,
};

const INTEGERS = ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"];

/** `Deno.NativeType` without structs, which are objects. */
const TYPES = new Set<unknown>([
  ...INTEGERS,
  ...["isize", "usize", "f32", "f64", "bool"],
  ...["pointer", "buffer", "function"],
]);

/** Checks a definition before anything is opened. */
export function checkDefinition(key: string, definition: CallDefinition): void {
  checkOptions(definition, KEYS);
  const { parameters, variadic = [], result } = definition;
  const used = [...parameters, ...variadic, result === "void" ? "i32" : result];
  for (const type of used) {
    if (typeof type === "object" || TYPES.has(type)) continue;
    throw refused(key, `Deno has no type ${type}`);
  }
  const wrong = variadic.find((type) =>
    ["f32", "f64", "bool"].includes(String(type))
  );
  if (wrong === undefined) return;
  throw refused(key, `Deno cannot pass a variadic ${wrong}`);
}

function refused(key: string, reason: string): TypeError {
  return new TypeError(`Cannot bind the function "${key}": ${reason}`);
}

/** Opens one function; null if it is optional and missing. */
export function openCall(
  name: string,
  definition: CallDefinition,
  library: Library,
): unknown {
  const { parameters: fixed, variadic = [], nonblocking = false } = definition;
  const isPadded = system().variadicOnStack && variadic.length > 0;
  const all = isPadded ? onStack(fixed, variadic) : [...fixed, ...variadic];
  const symbol = openSymbol(
    {
      // Some systems rename functions of the C library.
      name: library.isLibc ? system().renamedSymbols[name] ?? name : name,
      parameters: all,
      result: definition.result,
      nonblocking,
      optional: false,
    },
    definition,
    library,
  );
  if (symbol === null) return symbol;
  const count = fixed.length + variadic.length;
  const call = isPadded
    ? padded(symbol, fixed.length, all.length - count)
    : symbol;
  return nonblocking
    ? parked(call as unknown as ParkedFunction, library)
    : withErrors(call, name, definition, count);
}

type ParkedFunction = (
  ...parameters: (BufferSource | null)[]
) => Promise<unknown>;

/** The other thread has bare addresses: of the memory, and of the function. */
function parked(symbol: ParkedFunction, library: Library): ParkedFunction {
  return (...parameters) => {
    library.requireOpen();
    return library.during(
      holding(true, symbol(...parameters), ...parameters),
    );
  };
}

function openSymbol(
  symbol: Deno.ForeignFunction & { readonly name: string },
  definition: CallDefinition,
  library: Library,
): ForeignFunction | null {
  const { path } = library;
  const setsErrno = (): boolean => errorsOf(definition) === "errno";
  try {
    const opened = openClosable({ call: symbol }, path, setsErrno);
    library.add(opened.close);
    return opened.functions.call as unknown as ForeignFunction;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    if (!opens(path)) {
      throw new Deno.errors.NotFound(
        `Cannot open library "${path}": ${(error as Error).message}`,
      );
    }
    if (definition.optional) return null;
    throw new Deno.errors.NotSupported(
      `Library "${path}" has no function "${symbol.name}"`,
      { cause: error },
    );
  }
}

const SIGNED = ["i8", "i16", "i32", "i64", "isize"];

function errorsOf(
  { errors, result }: CallDefinition,
): CallDefinition["errors"] {
  return errors ?? (SIGNED.includes(String(result)) ? "errno" : "none");
}

/** Sorts a failure: the value to return; undefined if the call is to be repeated. */
type Sort = (result: number | bigint) => number | bigint | undefined;

/** A function that repeats a call, or throws its error. */
function withErrors(
  call: ForeignFunction,
  name: string,
  definition: CallDefinition,
  length: number,
): ForeignFunction {
  const { wouldBlock = false, repeat = true } = definition;
  const errors = errorsOf(definition);
  if (errors === "none") return call;
  const sort: Sort = (result) => {
    const number = Number(-result);
    const { EAGAIN, EINTR } = system().errno;
    if (number === EINTR && repeat) return undefined;
    if (number !== EAGAIN || !wouldBlock) throw systemError(name, number);
    return typeof result === "bigint" ? BigInt(WOULD_BLOCK) : WOULD_BLOCK;
  };
  return withParameters(sorted, length)(
    errors === "result" ? negated(call) : call,
    sort,
  );
}

function sorted(call: ForeignFunction, sort: Sort): ForeignFunction {
  return (...parameters) => {
    for (;;) {
      const result = call(...parameters);
      // A pointer is an object or null.
      if (typeof result === "object" || result >= 0) return result;
      const value = sort(result);
      if (value !== undefined) return value;
    }
  };
}

/** For a function whose result is the error number. */
function negated(call: ForeignFunction): ForeignFunction {
  // A mere sign would make -0 of the result 0.
  return (...parameters) => 0 - Number(call(...parameters));
}
