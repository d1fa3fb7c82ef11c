/**
 * `char *argv[]` and `char *envp[]`: vectors of C strings.
 *
 * @module
 */

import { addressOf } from "../../backends/ffi/libc.ts";

/** A C string: its bytes with the NUL, or its address. */
export type CString = Uint8Array<ArrayBuffer> | bigint;

const POINTER_BYTES = 8;

/** Vectors in one piece of memory, which has to outlive their use. */
export interface CVectors {
  /** The memory of all vectors, and of the strings that were given as bytes. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /** The address of each vector. */
  readonly addresses: readonly bigint[];
}

/** Lays out vectors, each of which ends with a null pointer. */
export function cVectors(
  ...vectors: readonly (readonly CString[])[]
): CVectors {
  const count = vectors.reduce((sum, { length }) => sum + length + 1, 0);
  const bytes = vectors.flat().reduce(
    (sum, string) => sum + (typeof string === "bigint" ? 0 : string.length),
    0,
  );
  const buffer = new ArrayBuffer(count * POINTER_BYTES + bytes);
  const memory = new Uint8Array(buffer);
  const pointers = new BigUint64Array(buffer, 0, count);
  const base = addressOf(memory);
  let index = 0;
  let end = count * POINTER_BYTES;
  const addresses = vectors.map((strings) => {
    const address = base + BigInt(index * POINTER_BYTES);
    for (const string of strings) {
      if (typeof string === "bigint") pointers[index++] = string;
      else {
        memory.set(string, end);
        pointers[index++] = base + BigInt(end);
        end += string.length;
      }
    }
    index++;
    return address;
  });
  return { memory, addresses };
}
