/**
 * A replacement of `@std/assert`, for machines that cannot reach JSR.
 *
 * The `links` entry of `deno.json` selects this package. Without that entry the
 * tests use the real one, unchanged. Names and signatures are those of
 * `@std/assert`, and `node:assert` does the work.
 *
 * Where the two disagree, this one is stricter, so that a test that passes here
 * passes there. `assertEquals` distinguishes 0 from -0, an object without a
 * prototype from a plain one, and errors with different messages.
 *
 * @module
 */

import node from "node:assert";
import { isDeepStrictEqual } from "node:util";

// The types of the real package: no narrower type of the parameters accepts each class.
// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = new (...args: any[]) => E;
// deno-lint-ignore no-explicit-any
type AbstractErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** Any constructor. */
// deno-lint-ignore no-explicit-any
export type AnyConstructor = new (...args: any[]) => any;

/** The class of a constructor. */
export type GetConstructorType<T extends AnyConstructor> = InstanceType<T>;

/** An array-like object that is not a string. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** The error of a failed assertion. */
export class AssertionError extends Error {
  /** A failure that `message` describes. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

function explain(failure: string, msg: string | undefined): AssertionError {
  return new AssertionError(msg ? `${failure}: ${msg}` : failure);
}

/** Runs an assertion of `node:assert`, and adds the caller's message to its diff. */
function adapt(assertion: () => void, msg: string | undefined): void {
  try {
    assertion();
  } catch (error) {
    if (!(error instanceof node.AssertionError)) throw error;
    throw explain(error.message, msg);
  }
}

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is false {
  if (expr) throw new AssertionError(msg);
}

/** Fails if `actual` is null or undefined. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual === null || actual === undefined) {
    throw explain(`Expected a value, but got ${actual}`, msg);
  }
}

/** Fails unless both are deeply equal and of the same class. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  adapt(() => node.deepStrictEqual(actual, expected), msg);
}

/** Fails if both are deeply equal and of the same class. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  adapt(() => node.notDeepStrictEqual(actual, expected), msg);
}

/** Fails unless both are the same by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  adapt(() => node.strictEqual(actual, expected), msg);
}

/** Fails if both are the same by `Object.is`. */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  adapt(() => node.notStrictEqual(actual, expected), msg);
}

/** Fails unless `actual` lies within `tolerance` of `expected`, by default a ten-millionth of it. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance: number = Number.isFinite(expected)
    ? Math.abs(expected * 1e-7)
    : 1e-7,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  if (Math.abs(expected - actual) <= tolerance) return;
  throw explain(
    `Expected ${actual} to be within ${tolerance} of ${expected}`,
    msg,
  );
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) throw notRelated(actual, ">", expected, msg);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual >= expected)) throw notRelated(actual, ">=", expected, msg);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) throw notRelated(actual, "<", expected, msg);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual <= expected)) throw notRelated(actual, "<=", expected, msg);
}

function notRelated(
  actual: unknown,
  relation: string,
  expected: unknown,
  msg: string | undefined,
): AssertionError {
  return explain(
    `Expected ${Deno.inspect(actual)} ${relation} ${Deno.inspect(expected)}`,
    msg,
  );
}

/** Fails unless `expected` matches `actual`. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  adapt(() => node.match(actual, expected), msg);
}

/** Fails unless `expected` is a part of `actual`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw explain(
    `Expected ${JSON.stringify(actual)} to include ${JSON.stringify(expected)}`,
    msg,
  );
}

/** Fails unless each value of `expected` is deeply equal to one of `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const present = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) =>
    !present.some((value) => isDeepStrictEqual(value, wanted))
  );
  if (missing.length === 0) return;
  throw explain(
    `Expected ${Deno.inspect(actual)} to include ${Deno.inspect(missing)}`,
    msg,
  );
}

/** Fails unless `actual` has, at each depth, the properties of `expected`. Ignores classes. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  adapt(
    () =>
      node.deepStrictEqual(
        restrict(actual, expected),
        restrict(expected, expected),
      ),
    msg,
  );
}

/** Copies `value` without the properties that `shape` lacks. Dates, maps and bytes are not copied. */
function restrict(value: unknown, shape: unknown): unknown {
  if (!isObject(value) || !isObject(shape) || isAtom(value)) return value;
  const restricted: Record<PropertyKey, unknown> = {};
  for (const key of Reflect.ownKeys(shape)) {
    // An array may be longer than expected.
    if (Array.isArray(shape) && key === "length") continue;
    if (key in value) restricted[key] = restrict(value[key], shape[key]);
  }
  return restricted;
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}

function isAtom(value: object): boolean {
  return ArrayBuffer.isView(value) ||
    [ArrayBuffer, Date, Map, RegExp, Set, URL].some((type) =>
      value instanceof type
    );
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is GetConstructorType<T> {
  if (actual instanceof expectedType) return;
  throw explain(
    `Expected an instance of ${expectedType.name}, but got ${
      Deno.inspect(actual)
    }`,
    msg,
  );
}

/** Fails unless `error` is an error of this class with this message. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: AbstractErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  const expected = ErrorClass ?? Error;
  if (!(error instanceof Error) || !(error instanceof expected)) {
    throw explain(
      `Expected an error of class ${expected.name}, but got ${
        Deno.inspect(error)
      }`,
      msg,
    );
  }
  if (msgMatches === undefined) return;
  const matches = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches.test(error.message);
  if (matches) return;
  throw explain(
    `Expected the error's message to include ${
      Deno.inspect(msgMatches)
    }, but got ${JSON.stringify(error.message)}`,
    msg,
  );
}

/** Fails unless `fn` throws; returns the error. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an error of this class with this message; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  ...expected: Expectation
): unknown {
  try {
    fn();
  } catch (error) {
    return checked(error, expected);
  }
  throw explain("Expected function to throw", messageOf(expected));
}

/** Fails unless the promise that `fn` returns rejects; resolves to the reason. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/** Fails unless the promise of `fn` rejects with an error of this class with this message; resolves to it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...expected: Expectation
): Promise<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    throw explain(
      "Function throws when expected to reject",
      messageOf(expected),
    );
  }
  try {
    await promise;
  } catch (error) {
    return checked(error, expected);
  }
  throw explain("Expected function to reject", messageOf(expected));
}

/** The arguments after the function: a message, or a class and its messages. */
type Expectation = [
  classOrMsg?: ErrorClass<Error> | string | undefined,
  msgIncludes?: string | undefined,
  msg?: string | undefined,
];

function messageOf([classOrMsg, , msg]: Expectation): string | undefined {
  return typeof classOrMsg === "string" ? classOrMsg : msg;
}

function checked(error: unknown, expected: Expectation): unknown {
  const [classOrMsg, msgIncludes, msg] = expected;
  if (typeof classOrMsg === "function") {
    assertIsError(error, classOrMsg, msgIncludes, msg);
  }
  return error;
}

/** Fails. */
export function fail(msg?: string): never {
  throw explain("Failed assertion", msg);
}

/** Fails because the program is not expected to reach this line. */
export function unreachable(msg?: string): never {
  throw explain("Unreachable", msg);
}
