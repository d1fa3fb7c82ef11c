/**
 * Measures the cost of a chunk of its own, and its parts: copy, allocation, and memory
 * that is in no cache. V8 releases a buffer when it collects garbage, which is some tens
 * of megabytes later.
 *
 *     deno bench -A bench/chunks_bench.ts
 *
 * Each row makes 64 MiB of chunks, so that it includes the collections.
 *
 * @module
 */

const KiB = 1024;
const TOTAL_BYTES = 64 * KiB * KiB;

/** The last chunk is kept, so that V8 cannot remove the copies. */
let kept: Uint8Array<ArrayBuffer>;

/** Copies bytes as often as 64 MiB take. */
function bench(
  group: string,
  name: string,
  size: number,
  copy: (bytes: Uint8Array<ArrayBuffer>, index: number) => typeof kept,
): void {
  const bytes = new Uint8Array(size).fill(1);
  const count = TOTAL_BYTES / size;
  Deno.bench(name, { group }, () => {
    for (let index = 0; index < count; index++) kept = copy(bytes, index);
  });
}

function benchChunks(size: number, title: string): void {
  const count = (TOTAL_BYTES / size).toLocaleString("en");
  const group = `${count} chunks of ${title}`;
  const warm = new Uint8Array(size);
  let ring: Uint8Array<ArrayBuffer>[] | undefined;

  bench(group, "a copy into one buffer", size, (bytes) => {
    warm.set(bytes);
    return warm;
  });
  bench(group, "into 64 MiB of buffers in turn", size, (bytes, index) => {
    ring ??= Array.from(
      { length: TOTAL_BYTES / size },
      () => new Uint8Array(size),
    );
    const cold = ring[index]!;
    cold.set(bytes);
    return cold;
  });
  bench(group, "into a buffer of its own", size, (bytes) => {
    ring = undefined;
    return new Uint8Array(bytes);
  });
  bench(group, "the same, released at once", size, (bytes) => {
    const chunk = new Uint8Array(bytes);
    // Detaching releases the memory of the one before without a collection.
    if (kept.length === size && kept !== warm) kept.buffer.transfer(0);
    return chunk;
  });
}

kept = new Uint8Array(0);
benchChunks(16 * KiB, "16 KiB");
benchChunks(256 * KiB, "256 KiB");
