/**
 * Linux AIO, as far as it polls descriptors: the kernel waits for them, and adds 1 to
 * an eventfd for each that is ready. So any loop that reads an eventfd notices any
 * descriptor, without a thread that waits.
 *
 * Some facts about AIO, which explain the code below:
 *
 * - A context is a queue of results in the kernel, with room for as many as are asked
 *   for. All contexts of the machine share `fs.aio-max-nr`, usually 65,536: beyond it,
 *   and in some sandboxes, `io_setup` is refused.
 * - `IOCB_CMD_POLL` reports once, at once if the descriptor is ready already. It holds
 *   the open file, not the number: a file that was closed lives on until then.
 * - The kernel writes `aio_key` into the `struct iocb` when it is submitted, and
 *   `io_cancel` looks for its address. So the structs stay in one place, which V8 must
 *   not move or free.
 * - A cancelled poll has a result, too. So a struct is free again once its result is
 *   taken, and not before.
 * - C libraries have no function for these calls, only `syscall`. Their numbers depend
 *   on the processor.
 *
 * Sources: io_setup(2), io_submit(2), io_cancel(2), io_getevents(2),
 * `linux/aio_abi.h`, `asm/unistd_64.h`, `asm-generic/unistd.h`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { addressOf, libc } from "./libc.ts";

/** The numbers of the system calls. */
interface Numbers {
  readonly setup: bigint;
  readonly getevents: bigint;
  readonly submit: bigint;
  readonly cancel: bigint;
}

/** By `Deno.build.arch`. */
const NUMBERS: Readonly<Record<string, Numbers>> = {
  x86_64: {
    setup: 206n,
    getevents: 208n,
    submit: 209n,
    cancel: 210n,
  },
  aarch64: { setup: 0n, submit: 2n, cancel: 3n, getevents: 4n },
};

/** Polls under way in one context, at most. */
const CAPACITY = 64;

/** Results that are taken by one call. */
const RESULTS = 32;

const POLLIN = 0x001;
const IOCB_CMD_POLL = 5;
const IOCB_FLAG_RESFD = 1;

/** `struct iocb`, in words of 32 bits on a little-endian processor. */
const IOCB_WORDS = 16;
const IOCB = {
  data: 0,
  opcode: 4,
  fildes: 5,
  buf: 6,
  flags: 14,
  resfd: 15,
} as const;

/** `struct io_event`: data, iocb, two results. */
const EVENT_WORDS = 8;

/** Polls of descriptors, whose ends are counted by eventfds. */
export class AioPolls {
  readonly #numbers: Numbers;
  readonly #context: bigint;
  readonly #iocbs = new Int32Array(
    new ArrayBuffer(4 * IOCB_WORDS * CAPACITY),
  );
  readonly #firstIocb = addressOf(this.#iocbs);
  /** The one address of a call. */
  readonly #submitted = new BigUint64Array(new ArrayBuffer(8));
  readonly #results = new Int32Array(
    new ArrayBuffer(4 * EVENT_WORDS * RESULTS),
  );
  /** `struct timespec` of 0: a call that does not wait. */
  readonly #noTime = new ArrayBuffer(16);
  readonly #free = Array.from(
    { length: CAPACITY },
    (_, slot) => CAPACITY - 1 - slot,
  );

  private constructor(numbers: Numbers, context: bigint) {
    this.#numbers = numbers;
    this.#context = context;
    for (let slot = 0; slot < CAPACITY; slot++) {
      const iocb = slot * IOCB_WORDS;
      this.#iocbs[iocb + IOCB.data] = slot;
      this.#iocbs[iocb + IOCB.opcode] = IOCB_CMD_POLL;
      this.#iocbs[iocb + IOCB.buf] = POLLIN;
      this.#iocbs[iocb + IOCB.flags] = IOCB_FLAG_RESFD;
    }
  }

  /**
   * Creates a context. It is never freed: freeing one waits for 30 ms, and it takes no
   * descriptor. The kernel frees it with the process.
   *
   * @returns null on other systems, and where this one refuses
   */
  static create(): AioPolls | null {
    const { os, arch } = system();
    const numbers = os === "linux" ? NUMBERS[arch] : undefined;
    const { io_setup } = libc();
    if (numbers === undefined || io_setup === null) return null;
    const context = new BigUint64Array(new ArrayBuffer(8));
    if (io_setup(numbers.setup, CAPACITY, context) < 0) return null;
    return new AioPolls(numbers, context[0]!);
  }

  /** How many polls have begun whose ends are not taken. */
  get underWay(): number {
    return CAPACITY - this.#free.length;
  }

  /**
   * Begins a poll for readability. It ends at once if the descriptor is readable.
   *
   * @param eventFd The eventfd that counts its end
   * @returns the number of the poll, until its end is taken; -1 if the system refuses
   */
  begin(fd: number, eventFd: number): number {
    const slot = this.#free.pop();
    if (slot === undefined) return -1;
    const iocb = slot * IOCB_WORDS;
    this.#iocbs[iocb + IOCB.fildes] = fd;
    this.#iocbs[iocb + IOCB.resfd] = eventFd;
    this.#submitted[0] = this.#addressOf(slot);
    const { submit } = this.#numbers;
    const result = libc().io_submit!(
      submit,
      this.#context,
      1n,
      this.#submitted,
    );
    if (result === 1) return slot;
    this.#free.push(slot);
    return -1;
  }

  /** Ends a poll that is under way. Its end is counted and taken as any other. */
  cancel(poll: number): void {
    const { cancel } = this.#numbers;
    const iocb = this.#addressOf(poll);
    // Failures: EINPROGRESS, it ends now; EINVAL, it has ended.
    libc().io_cancel!(cancel, this.#context, iocb, this.#results);
  }

  /** Calls a function with each poll that has ended, and frees its number. */
  takeEnded(take: (poll: number) => void): void {
    const { io_getevents } = libc();
    const { getevents } = this.#numbers;
    let count: number;
    do {
      count = io_getevents!(
        getevents,
        this.#context,
        0n,
        BigInt(RESULTS),
        this.#results,
        this.#noTime,
      );
      for (let index = 0; index < count; index++) {
        const poll = this.#results[index * EVENT_WORDS]!;
        this.#free.push(poll);
        take(poll);
      }
    } while (count === RESULTS);
  }

  #addressOf(slot: number): bigint {
    return this.#firstIocb + BigInt(slot * IOCB_WORDS * 4);
  }
}
