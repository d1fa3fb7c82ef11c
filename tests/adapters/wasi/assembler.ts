/**
 * A small WebAssembly assembler, for guests of tests that need no compiler.
 *
 * Source: "WebAssembly Core Specification", section 5, "Binary Format".
 */

const I32 = 0x7f;
const EMPTY = 0x40;

/** An unsigned number of any size (LEB128). */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const more = value >= 0x80 ? 0x80 : 0;
    bytes.push(value & 0x7f | more);
    value >>>= 7;
  } while (value > 0);
  return bytes;
}

/** A signed number of 32 bits (LEB128). */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    const done = value === 0 && (low & 0x40) === 0 ||
      value === -1 && (low & 0x40) !== 0;
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): number[] {
  return [...unsigned(text.length), ...new TextEncoder().encode(text)];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

/** The bytes of instructions. */
export const op = {
  constant: (value: number): number[] => [0x41, ...signed(value)],
  call: (index: number): number[] => [0x10, ...unsigned(index)],
  drop: [0x1a],
  /** Loads a word from the address on the stack. */
  load: [0x28, 2, 0],
  store: [0x36, 2, 0],
  isZero: [0x45],
  or: [0x72],
  block: (...body: (readonly number[])[]): number[] => [
    0x02,
    EMPTY,
    ...body.flat(),
    0x0b,
  ],
  loop: (
    ...body: (readonly number[])[]
  ): number[] => [0x03, EMPTY, ...body.flat(), 0x0b],
  /** Jumps to the end of a block or the start of a loop, by its level outwards. */
  branch: (level: number): number[] => [0x0c, ...unsigned(level)],
  branchIf: (level: number): number[] => [0x0d, ...unsigned(level)],
} as const;

/** A function of preview 1, and the number of its parameters. */
export type Import = readonly [name: string, parameters: number];

/**
 * A command with one page of memory.
 *
 * @param imports The imports from preview 1; each returns a word
 * @param start The instructions of `_start`
 * @param first Those of the start function, which runs at the instantiation. Default:
 *   none
 */
export function assemble(
  imports: readonly Import[],
  start: readonly number[],
  first?: readonly number[],
): WebAssembly.Module {
  const types = [
    [0x60, 0, 0],
    ...imports.map(([, parameters]) => [
      0x60,
      ...vector(Array.from({ length: parameters }, () => [I32])),
      ...vector([[I32]]),
    ]),
  ];
  const imported = imports.map(([field], index) => [
    ...name("wasi_snapshot_preview1"),
    ...name(field),
    0,
    ...unsigned(index + 1),
  ]);
  const bodies = [start, ...(first === undefined ? [] : [first])]
    .map((instructions) => [0, ...instructions, 0x0b]);
  return new WebAssembly.Module(Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector(imported)),
    ...section(3, vector(bodies.map(() => [0]))),
    ...section(5, vector([[0, 1]])),
    ...section(
      7,
      vector([
        [...name("memory"), 2, 0],
        [...name("_start"), 0, ...unsigned(imports.length)],
      ]),
    ),
    ...(first === undefined ? [] : section(8, unsigned(imports.length + 1))),
    ...section(
      10,
      vector(bodies.map((body) => [...unsigned(body.length), ...body])),
    ),
  ]));
}
