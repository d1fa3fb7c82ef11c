/**
 * The bookkeeping that all selectors share: registrations, checks, and the way from
 * an event to its key. A backend adds the system calls.
 *
 * @module
 */

import { checkTimeout, waitFully } from "./deadline.ts";
import { system } from "./ffi/current_system.ts";
import { fileDescriptor, isOpen } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { checkOptions } from "./ffi/options.ts";
import { ReadyList } from "./ready_list.ts";
import { RegistrationMap, Registrations } from "./registrations.ts";
import {
  ALL_EVENTS,
  ALL_MODES,
  CLOSING,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  type LoopSelector,
  MODE_ONE_SHOT,
  type SelectorKey,
} from "./selector.ts";

/** Above this, a descriptor must be open before the tables grow for it. */
const LARGEST_UNCHECKED_FD = 0xffff;

/**
 * The bookkeeping of a selector. A backend extends it: it passes each change of
 * the interest to the system, and fills `ready` in each wait.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects
 */
export abstract class BaseSelector<T, F extends FileObject = FileObject>
  implements LoopSelector<T, F> {
  readonly supported: number;
  abstract readonly seesChangesWhileParked: boolean;

  /** All registrations. */
  protected readonly registrations: Registrations<T, F> = new Registrations();
  /** The result of the last wait. */
  protected readonly ready: ReadyList = new ReadyList();
  readonly #map = new RegistrationMap(this.registrations);
  /** The keys that the last wait found closed, by the index of their entry. */
  readonly #lost = new Map<number, SelectorKey<T, F>>();
  readonly #limit: number;
  #closed = false;
  #parked = false;

  /**
   * Creates the bookkeeping of a backend.
   *
   * @param supported The `EVENT_*` and `MODE_*` of this backend in addition to reading
   *   and writing
   * @param limit The first descriptor that it cannot hold. Default: none
   */
  constructor(supported: number, limit: number = Infinity) {
    this.#limit = limit;
    this.supported = EVENT_READ | EVENT_WRITE | supported;
  }

  /** Whether the selector is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** -1, except if the kernel keeps the interest behind a descriptor that can be polled. */
  get waitFd(): number {
    return -1;
  }

  /** Starts to watch a descriptor that the system does not watch yet. */
  protected abstract watch(
    fd: number,
    events: number,
    generation: number,
  ): void;

  /** Changes the events of a descriptor. */
  protected abstract rewatch(
    fd: number,
    events: number,
    generation: number,
    before: number,
  ): void;

  /** Stops watching a descriptor, which may be closed or another file by now. */
  protected abstract unwatch(fd: number, events: number): void;

  /** Stops watching a descriptor that is closed next: the system may do that alone. */
  protected unwatchClosing(fd: number, events: number): void {
    this.unwatch(fd, events);
  }

  /** Waits once, and fills `ready`, with at most `most` entries if the call can stop there. */
  protected abstract fill(timeout: number, most: number): void;

  /** Waits once on another thread, and fills `ready`. */
  protected abstract fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void>;

  /** Releases the system's resources. */
  protected abstract release(): void;

  register(fileobj: F, events: number, data: T): SelectorKey<T, F> {
    this.#checkOpen();
    this.#checkEvents(events);
    const fd = fileDescriptor(fileobj);
    this.#makeWay(fd);
    this.#checkFd(fd);
    const generation = this.registrations.nextGeneration(fd);
    this.watch(fd, events, generation);
    const key = { fileobj, fd, events, data };
    this.registrations.set(key);
    return key;
  }

  modify(
    fileobj: F | number,
    events: number,
    data: T,
  ): SelectorKey<T, F> {
    this.#checkOpen();
    this.#checkEvents(events);
    const before = this.#find(fileobj);
    const { fd } = before;
    // The same events arm a one-shot registration again.
    if (events !== before.events || (events & MODE_ONE_SHOT) !== 0) {
      const generation = this.registrations.generation(fd);
      try {
        this.rewatch(fd, events, generation, before.events);
      } catch (error) {
        this.#forget(before);
        throw error;
      }
    } else if (data === before.data) {
      return before;
    }
    const key = { fileobj: before.fileobj, fd, events, data };
    this.registrations.set(key);
    return key;
  }

  unregister(
    fileobj: F | number,
    options?: { readonly closing?: boolean },
  ): SelectorKey<T, F> {
    this.#checkOpen();
    const closing = options === CLOSING || isClosing(options);
    const lost = this.#lost.size > 0 ? this.#findLost(fileobj) : undefined;
    if (lost !== undefined) return lost;
    const key = this.#find(fileobj);
    this.registrations.delete(key.fd);
    if (closing) this.unwatchClosing(key.fd, key.events);
    else this.unwatch(key.fd, key.events);
    return key;
  }

  select(timeout?: number): [key: SelectorKey<T, F>, events: number][] {
    this.#checkOpen();
    const found: [SelectorKey<T, F>, number][] = [];
    waitFully(checkTimeout(timeout), (left) => {
      this.wait(left);
      this.#collect(found);
      return found.length;
    });
    return found;
  }

  getKey(fileobj: F | number): SelectorKey<T, F> {
    this.#checkOpen();
    return this.#find(fileobj);
  }

  getMap(): ReadonlyMap<F | number, SelectorKey<T, F>> {
    return this.#map;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.ready.clear();
    this.#lost.clear();
    this.registrations.clear();
    this.release();
  }

  /** Closes the selector at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  wait(timeout: number, most: number = Infinity): number {
    this.#begin();
    this.fill(timeout, most);
    return this.ready.count;
  }

  async park(timeout: number, referenced: boolean = true): Promise<number> {
    this.#begin();
    this.#parked = true;
    try {
      await this.fillParked(timeout, referenced);
    } finally {
      this.#parked = false;
    }
    // A close during the wait has ended all registrations.
    if (this.#closed) this.ready.clear();
    return this.ready.count;
  }

  readyKey(index: number): SelectorKey<T, F> | undefined {
    return this.#isCurrent(index)
      ? this.registrations.get(this.ready.fds[index]!)
      : this.#lost.get(index);
  }

  readyFileobj(index: number): F | undefined {
    return this.#isCurrent(index)
      ? this.registrations.fileobj(this.ready.fds[index]!)
      : this.#lost.get(index)?.fileobj;
  }

  readyData(index: number): T | undefined {
    return this.#isCurrent(index)
      ? this.registrations.data(this.ready.fds[index]!)
      : this.#lost.get(index)?.data;
  }

  readyEvents(index: number): number {
    const asked = this.#isCurrent(index)
      ? this.registrations.events(this.ready.fds[index]!)
      : this.#lost.get(index)?.events ?? 0;
    return this.ready.events[index]! & asked;
  }

  /**
   * The events of a hang-up or an error: reading and writing, whose next call reports
   * it. A registration for urgent data alone gets that event.
   */
  protected hangUpEvents(fd: number): number {
    const interest = this.registrations.events(fd) & ALL_EVENTS;
    return interest === EVENT_PRIORITY
      ? EVENT_PRIORITY
      : EVENT_READ | EVENT_WRITE;
  }

  /**
   * Whether a registered object was closed without being unregistered. Its number may
   * be another file by now.
   */
  protected isGone(fd: number): boolean {
    const fileobj = this.registrations.fileobj(fd);
    return typeof fileobj === "object" && fileobj.fd !== fd;
  }

  /**
   * Refuses to change the events of a registered object that was closed. The kernel would
   * watch the file that has its number by now, for the object's callback.
   */
  protected refuseGone(fd: number, syscall: string): void {
    if (!this.isGone(fd)) return;
    throw systemError(syscall, system().errno.EBADF!, `fd ${fd}`);
  }

  /**
   * Reports a descriptor that was closed without being unregistered, once, and ends
   * its registration. Otherwise no wait could sleep.
   */
  protected lose(fd: number): void {
    const key = this.registrations.get(fd);
    if (key === undefined) return;
    this.#lost.set(this.ready.count, key);
    this.ready.reserve(this.ready.count + 1);
    this.ready.push(fd, this.registrations.generation(fd), ALL_EVENTS);
    this.#forget(key);
  }

  #begin(): void {
    this.#checkOpen();
    // Two waits would fill the same buffers.
    if (this.#parked) {
      throw new Deno.errors.Busy("Selector is waiting on another thread");
    }
    this.ready.clear();
    if (this.#lost.size > 0) this.#lost.clear();
  }

  /** Whether the registration of a ready entry is still the one of the wait. */
  #isCurrent(index: number): boolean {
    const generation = this.registrations.generation(this.ready.fds[index]!);
    return generation === this.ready.generations[index];
  }

  #collect(found: [SelectorKey<T, F>, number][]): void {
    for (let index = 0; index < this.ready.count; index++) {
      const key = this.readyKey(index);
      const events = this.readyEvents(index);
      if (key !== undefined && events !== 0) found.push([key, events]);
    }
  }

  #forget(key: SelectorKey<T, F>): void {
    this.registrations.delete(key.fd);
    this.unwatch(key.fd, key.events);
  }

  #find(fileobj: F | number): SelectorKey<T, F> {
    const key = this.registrations.find(fileobj);
    if (key === undefined) {
      throw new Deno.errors.NotFound(
        `File object ${describe(fileobj)} is not registered`,
      );
    }
    return key;
  }

  /**
   * Finds a key that the last wait lost: unregistering it has no effect. By its number,
   * or once it is registered again, a file object has its present key instead.
   */
  #findLost(fileobj: F | number): SelectorKey<T, F> | undefined {
    const present = this.registrations.find(fileobj);
    if (present !== undefined && typeof fileobj === "number") return undefined;
    if (present?.fileobj === fileobj) return undefined;
    for (const [index, key] of this.#lost) {
      if (key.fileobj !== fileobj && key.fd !== fileobj) continue;
      this.#lost.delete(index);
      return key;
    }
    return undefined;
  }

  /** Frees the number of a registered object that was closed; any other is taken. */
  #makeWay(fd: number): void {
    const key = this.registrations.get(fd);
    if (key === undefined) return;
    if (typeof key.fileobj === "object" && key.fileobj.fd !== fd) {
      this.#forget(key);
      return;
    }
    throw new Deno.errors.AlreadyExists(
      `File object ${describe(key.fileobj)} is already registered`,
    );
  }

  #checkEvents(events: number): void {
    const known = ALL_EVENTS | ALL_MODES;
    if (
      !Number.isInteger(events) || (events & ~known) !== 0 ||
      events > known || (events & ALL_EVENTS) === 0
    ) {
      throw new RangeError(`Cannot wait for the events ${events}`);
    }
    if ((events & ~this.supported) !== 0) {
      throw new Deno.errors.NotSupported(
        `${this.constructor.name} lacks the events ${
          events & ~this.supported
        }: it has ${this.supported}`,
      );
    }
  }

  /** The tables grow with the largest descriptor: an invalid one must not cost memory. */
  #checkFd(fd: number): void {
    if (fd >= this.#limit) {
      throw new RangeError(
        `Cannot register file descriptor ${fd}: it must be 0 to ${
          this.#limit - 1
        }`,
      );
    }
    if (fd > LARGEST_UNCHECKED_FD && !isOpen(fd)) {
      throw systemError("register", system().errno.EBADF!, `fd ${fd}`);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new Deno.errors.BadResource("Selector is closed");
  }
}

function isClosing(options: { readonly closing?: boolean } = {}): boolean {
  checkOptions(options, { closing: true });
  return options.closing === true;
}

function describe(fileobj: FileObject): string {
  return typeof fileobj === "number"
    ? String(fileobj)
    : `with fd ${fileobj?.fd}`;
}
