/**
 * The registrations: one key for each descriptor, found by its number or its object,
 * even after that object was closed.
 *
 * @module
 */

import { grown } from "./int32_arrays.ts";
import type { FileObject, SelectorKey } from "./selector.ts";

/**
 * The keys by descriptor, and a generation for each descriptor, which each new
 * registration increments. An event carries the generation of its registration, so
 * that a late one is recognized as stale.
 *
 * The fields of the keys are also kept in columns. A thousand ready descriptors then
 * read neighbouring entries, rather than a thousand objects that are no longer in the
 * cache.
 */
export class Registrations<T, F extends FileObject = FileObject> {
  readonly #keys: (SelectorKey<T, F> | undefined)[] = [];
  readonly #fileobjs: (F | undefined)[] = [];
  readonly #data: (T | undefined)[] = [];
  #events = new Int32Array(64);
  #generations = new Int32Array(64);
  #size = 0;

  /** The number of keys. */
  get size(): number {
    return this.#size;
  }

  /** The key of a descriptor. */
  get(fd: number): SelectorKey<T, F> | undefined {
    return this.#keys[fd];
  }

  /** The file object of a descriptor. */
  fileobj(fd: number): F | undefined {
    return this.#fileobjs[fd];
  }

  /** The data of a descriptor. */
  data(fd: number): T | undefined {
    return this.#data[fd];
  }

  /** The events of a descriptor; 0 if it is not registered. */
  events(fd: number): number {
    return fd < this.#events.length ? this.#events[fd]! : 0;
  }

  /** The generation of a descriptor. */
  generation(fd: number): number {
    return fd < this.#generations.length ? this.#generations[fd]! : 0;
  }

  /** Starts the next generation of a descriptor, and returns it. */
  nextGeneration(fd: number): number {
    this.#makeRoom(fd);
    return ++this.#generations[fd]!;
  }

  /** Adds or replaces a key. */
  set(key: SelectorKey<T, F>): void {
    const { fd } = key;
    if (this.#keys[fd] === undefined) this.#size++;
    this.#makeRoom(fd);
    this.#keys[fd] = key;
    this.#fileobjs[fd] = key.fileobj;
    this.#data[fd] = key.data;
    this.#events[fd] = key.events;
  }

  /** Removes a key; pending events for it become stale. */
  delete(fd: number): void {
    if (this.#keys[fd] === undefined) return;
    this.#keys[fd] = this.#fileobjs[fd] = this.#data[fd] = undefined;
    this.#events[fd] = 0;
    this.#size--;
    this.nextGeneration(fd);
  }

  /** Removes all keys. */
  clear(): void {
    for (const key of this.keys()) this.delete(key.fd);
    this.#keys.length = this.#fileobjs.length = this.#data.length = 0;
  }

  /** The key of a file object, even if that was closed. */
  find(fileobj: F | number): SelectorKey<T, F> | undefined {
    if (typeof fileobj === "number") return this.#keys[fileobj];
    const fd = fileobj?.fd;
    if (fd >= 0) return this.#unlessReused(fd, fileobj);
    // A closed object has no number, but is still the registered object.
    for (const key of this.keys()) if (key.fileobj === fileobj) return key;
    return undefined;
  }

  /** Any object with its number finds a key, except a later owner of that number. */
  #unlessReused(fd: number, fileobj: F): SelectorKey<T, F> | undefined {
    const key = this.#keys[fd];
    if (key === undefined || key.fileobj === fileobj) return key;
    const { fileobj: owner } = key;
    return typeof owner === "object" && owner.fd !== fd ? undefined : key;
  }

  /** All keys, by descriptor. */
  *keys(): Generator<SelectorKey<T, F>> {
    for (const key of this.#keys) if (key !== undefined) yield key;
  }

  #makeRoom(fd: number): void {
    if (fd < this.#generations.length) return;
    const length = Math.max(fd + 1, this.#generations.length * 2);
    this.#generations = grown(this.#generations, length);
    this.#events = grown(this.#events, length);
  }
}

/** `Selector.getMap()`: a read-only view of the registrations. */
export class RegistrationMap<T, F extends FileObject = FileObject>
  implements ReadonlyMap<F | number, SelectorKey<T, F>> {
  readonly #registrations: Registrations<T, F>;

  constructor(registrations: Registrations<T, F>) {
    this.#registrations = registrations;
  }

  get size(): number {
    return this.#registrations.size;
  }

  get(fileobj: F | number): SelectorKey<T, F> | undefined {
    return this.#registrations.find(fileobj);
  }

  has(fileobj: F | number): boolean {
    return this.#registrations.find(fileobj) !== undefined;
  }

  forEach(
    callback: (
      value: SelectorKey<T, F>,
      key: F | number,
      map: ReadonlyMap<F | number, SelectorKey<T, F>>,
    ) => void,
    thisArgument?: unknown,
  ): void {
    for (const key of this.values()) {
      callback.call(thisArgument, key, key.fd, this);
    }
  }

  *entries(): MapIterator<[F | number, SelectorKey<T, F>]> {
    for (const key of this.#registrations.keys()) yield [key.fd, key];
  }

  *keys(): MapIterator<F | number> {
    for (const key of this.#registrations.keys()) yield key.fd;
  }

  *values(): MapIterator<SelectorKey<T, F>> {
    yield* this.#registrations.keys();
  }

  [Symbol.iterator](): MapIterator<[F | number, SelectorKey<T, F>]> {
    return this.entries();
  }
}
