/**
 * The selector for every system, up to descriptor 1023 except on Windows. The head of `select.ts` explains select.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import type { Platform } from "./ffi/system.ts";
import { restIfFailed } from "./deadline.ts";
import { isOpen } from "./ffi/descriptor.ts";
import { callSelectParked, firstTooLarge } from "./ffi/select_call.ts";
import { selectOnce, SelectSets } from "./select.ts";
import {
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
} from "./selector.ts";

/** The bookkeeping of a selector, on select. */
export class SelectSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has select: every one. */
  static available(_platform: Platform): boolean {
    return true;
  }

  /** A wait passes the interest of the moment when it began. */
  override readonly seesChangesWhileParked: boolean = false;
  readonly #asked = new SelectSets();
  readonly #found = new SelectSets();
  #nfds = 0;

  /** Creates a selector. It needs neither a system call nor a descriptor. */
  constructor() {
    super(EVENT_PRIORITY, firstTooLarge);
  }

  /** Starts to watch a descriptor. */
  protected override watch(fd: number, events: number): void {
    const { readable, writable, exceptional } = this.#asked;
    mark(readable, fd, (events & EVENT_READ) !== 0);
    mark(writable, fd, (events & EVENT_WRITE) !== 0);
    mark(exceptional, fd, (events & EVENT_PRIORITY) !== 0);
    this.#nfds = Math.max(this.#nfds, fd + 1);
  }

  /** Changes the events of a descriptor. */
  protected override rewatch(fd: number, events: number): void {
    this.watch(fd, events);
  }

  /** Stops watching a descriptor. */
  protected override unwatch(fd: number): void {
    const { readable, writable, exceptional } = this.#asked;
    for (const set of [readable, writable, exceptional]) set.delete(fd);
    while (
      this.#nfds > 0 && this.registrations.get(this.#nfds - 1) === undefined
    ) this.#nfds--;
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number): void {
    this.#look(timeout);
  }

  #look(timeout: number): number {
    const found = this.#found;
    found.copyFrom(this.#asked);
    let count: number;
    try {
      count = selectOnce(found, this.#nfds, timeout);
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
      this.#loseClosed();
      return 0;
    }
    if (count > 0) this.#decode(found, this.#nfds);
    return count;
  }

  /** Waits once on another thread, and fills `ready`. */
  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const found = new SelectSets();
    found.copyFrom(this.#asked);
    const nfds = this.#nfds;
    const generations = Array.from(
      { length: nfds },
      (_, fd) => this.registrations.generation(fd),
    );
    const count = await callSelectParked(nfds, found, timeout, referenced);
    if (this.closed) return;
    if (count < 0) restIfFailed(this.#look(0));
    else if (count > 0) this.#decode(found, nfds, generations);
  }

  /** Releases the system's resources. */
  protected override release(): void {}

  /** @param generations Those at the start of a parked wait. Default: the present ones */
  #decode(found: SelectSets, nfds: number, generations?: number[]): void {
    this.ready.reserve(nfds);
    for (let fd = 0; fd < nfds; fd++) {
      const events = (found.readable.has(fd) ? EVENT_READ : 0) |
        (found.writable.has(fd) ? EVENT_WRITE : 0) |
        (found.exceptional.has(fd) ? EVENT_PRIORITY : 0);
      if (events === 0) continue;
      const current = this.registrations.generation(fd);
      const generation = generations?.[fd] ?? current;
      if (generation === current && this.isGone(fd)) this.lose(fd);
      else this.ready.push(fd, generation, events);
    }
  }

  /** EBADF does not say which descriptor is closed: asks about each. */
  #loseClosed(): void {
    const closed = [...this.registrations.keys()].filter(({ fd }) =>
      !isOpen(fd)
    );
    for (const { fd } of closed) this.lose(fd);
  }
}

function mark(
  set: { add(fd: number): void; delete(fd: number): void },
  fd: number,
  wanted: boolean,
): void {
  if (wanted) set.add(fd);
  else set.delete(fd);
}
