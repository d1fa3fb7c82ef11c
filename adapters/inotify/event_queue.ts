/**
 * The events that were read and are not yet applied to the tree.
 *
 * @module
 */

import {
  IN_CREATE,
  IN_DELETE,
  IN_ISDIR,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  parseEvents,
  type RawEvent,
} from "./events.ts";
import type { Instance } from "./instance.ts";

/** The kernel keeps fewer events by default, so more mean that they never end. */
const MOST_EVENTS = 32_768;

/** The events that create or remove a name in a directory. */
const NAME_CHANGES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

/** A name in a watched directory. */
export type EntryKey = `${number}/${string}`;

/** Identifies a name in a directory. @param wd The watch descriptor of the directory */
export function entryKey(wd: number, name: string): EntryKey {
  return `${wd}/${name}`;
}

/** Changes of names that were read and are not yet applied. */
export interface WaitingChanges {
  /** The names that were, or are, another directory. */
  readonly directories: ReadonlySet<EntryKey>;
  /** The first event of each name. */
  readonly firsts: ReadonlyMap<EntryKey, RawEvent>;
}

/** Read events, in the order of the kernel. */
export class EventQueue {
  readonly #instance: Instance;
  #events: RawEvent[] = [];
  #at = 0;
  /** The second halves of moves whose first half is in the queue. */
  readonly #arrivals = new Map<number, RawEvent>();
  readonly #joined = new Set<RawEvent>();
  /** How many events were taken out of the array. */
  #taken = 0;
  /** Up to this position, a move without its second half has left the tree. */
  #expired = 0;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** Reads events. Returns whether the kernel has no more. */
  read(): boolean {
    this.#events.splice(0, this.#at);
    this.#taken += this.#at;
    this.#at = 0;
    while (this.#events.length < MOST_EVENTS) {
      const { bytes, isLast } = this.#instance.read();
      for (const event of parseEvents(bytes)) this.#add(event);
      if (isLast) return true;
    }
    return false;
  }

  #add(event: RawEvent): void {
    this.#events.push(event);
    const isArrival = (event.mask & IN_MOVED_TO) !== 0;
    if (isArrival) this.#arrivals.set(event.cookie, event);
  }

  /** Whether the first event waits for the second half of its move. */
  get isIncomplete(): boolean {
    const first = this.#events[this.#at];
    return first !== undefined && (first.mask & IN_MOVED_FROM) !== 0 &&
      this.#taken + this.#at >= this.#expired &&
      !this.#arrivals.has(first.cookie);
  }

  /** Takes the next event; undefined if there is none, or its move is incomplete. */
  next(): RawEvent | undefined {
    while (this.#joined.delete(this.#events[this.#at]!)) this.#at++;
    if (this.isIncomplete) return undefined;
    const event = this.#events[this.#at];
    if (event === undefined) return undefined;
    this.#at++;
    if ((event.mask & IN_MOVED_TO) !== 0) this.#arrivals.delete(event.cookie);
    return event;
  }

  /** Takes the second half of a move out of the queue. */
  takeArrival(cookie: number): RawEvent | undefined {
    const arrival = this.#arrivals.get(cookie);
    if (arrival === undefined) return undefined;
    this.#arrivals.delete(cookie);
    this.#joined.add(arrival);
    return arrival;
  }

  /** The number of events that were ever read. */
  get position(): number {
    return this.#taken + this.#events.length;
  }

  /** The second halves of the moves before a position do not come. */
  expire(position: number): void {
    this.#expired = position;
  }

  /** Discards all events. */
  clear(): void {
    this.#taken += this.#events.length;
    this.#events = [];
    this.#at = 0;
    this.#arrivals.clear();
    this.#joined.clear();
  }

  /** The changes of names that are not yet applied. */
  get changes(): WaitingChanges {
    const directories = new Set<EntryKey>();
    const firsts = new Map<EntryKey, RawEvent>();
    for (const event of this.#events.slice(this.#at)) {
      const { wd, mask, name } = event;
      if ((mask & NAME_CHANGES) === 0 || this.#joined.has(event)) continue;
      const key = entryKey(wd, name);
      if (!firsts.has(key)) firsts.set(key, event);
      const isNew = (mask & IN_CREATE) !== 0;
      if (!isNew && (mask & IN_ISDIR) !== 0) directories.add(key);
    }
    return { directories, firsts };
  }
}
