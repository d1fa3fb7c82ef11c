/**
 * Variadic functions, as Apple's arm64 calls them: their variadic arguments are on
 * the stack, 8 bytes each. Everywhere else they are passed like any others.
 *
 * Source: "Writing ARM64 code for Apple platforms", developer.apple.com.
 *
 * @module
 */

type Types = readonly Deno.NativeType[];

/** The registers for integers and pointers, x0 to x7. */
const REGISTERS = 8;

/** The types of 8 bytes that C's smaller integers are widened to. */
const WIDE: Readonly<Partial<Record<string, Deno.NativeType>>> = {
  i8: "i64",
  i16: "i64",
  i32: "i64",
  u8: "u64",
  u16: "u64",
  u32: "u64",
};

/** Parameters that fill the registers, so that the variadic arguments are on the stack. */
export function onStack(fixed: Types, variadic: Types): Deno.NativeType[] {
  const floats = fixed.filter((type) => type === "f32" || type === "f64");
  const filled = fixed.length - floats.length;
  const padding = Array<Deno.NativeType>(Math.max(REGISTERS - filled, 0));
  const wide = variadic.map((type) => WIDE[String(type)] ?? type);
  return [...fixed, ...padding.fill("u32"), ...wide];
}

/**
 * Returns a function that inserts zeros where the padding is.
 *
 * @param fixed The number of fixed parameters
 * @param padding The number of zeros
 */
export function padded<R>(
  symbol: (...parameters: never[]) => R,
  fixed: number,
  padding: number,
): (...parameters: never[]) => R {
  const zeros = Array<never>(padding).fill(0 as never);
  return (...parameters) =>
    symbol(...parameters.slice(0, fixed), ...zeros, ...parameters.slice(fixed));
}
