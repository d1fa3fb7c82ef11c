/**
 * The watched paths, as they are after the events that were applied.
 *
 * Events come late. When the creation of a directory is read, its path may lead to
 * another directory already. So a new directory is pending until all events are applied.
 * Then its path is watched and its entries are read. If an event that was queued up to
 * then has changed the path, the look is discarded, and repeated after that event.
 *
 * @module
 */

import type { EntryKey, EventQueue, WaitingChanges } from "./event_queue.ts";
import { entryKey } from "./event_queue.ts";
import {
  IN_CREATE,
  IN_DELETE,
  IN_IGNORED,
  IN_ISDIR,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_Q_OVERFLOW,
  type InotifyEvent,
  type RawEvent,
  typeOf,
} from "./events.ts";
import { type Instance, isGone, isUnreachable } from "./instance.ts";
import { Watch } from "./watch.ts";

/** A look does not go deeper while so many events wait for the user. */
const MOST_EVENTS = 16_384;

/** A directory that was just watched. */
interface Look {
  readonly watch: Watch;
  readonly wd: number;
  /** Null if the directory is gone. */
  readonly entries: readonly Deno.DirEntry[] | null;
}

/** Follows the watched paths, and turns the kernel's events into those of the user. */
export class WatchedTree {
  readonly #instance: Instance;
  readonly #queue: EventQueue;
  readonly #events: InotifyEvent[];
  readonly #byWd = new Map<number, Watch>();
  readonly #pending = new Set<Watch>();
  /** Watches from before an overflow. */
  readonly #stale = new Set<number>();
  #isUnfinished = false;

  /** @param events Receives the events */
  constructor(
    instance: Instance,
    queue: EventQueue,
    events: InotifyEvent[],
  ) {
    this.#instance = instance;
    this.#queue = queue;
    this.#events = events;
  }

  /**
   * Watches a path. Its present entries are not reported.
   *
   * @throws {SystemError} if the path, or a directory below, cannot be watched
   */
  add(path: string, isDirectory: boolean, recursive: boolean): void {
    const wd = this.#instance.watch(path, isDirectory);
    const known = this.#byWd.get(wd);
    const root = known ?? new Watch(path, isDirectory, recursive);
    const isWider = recursive && !(known?.recursive ?? false);
    root.isRoot = true;
    root.isRecursiveRoot ||= recursive;
    root.recursive ||= recursive;
    if (known === undefined) this.#setRoot(root, wd);
    if (isWider) {
      root.reports = false;
      this.#pending.add(root);
      this.update();
      this.reportAll();
    }
  }

  #setRoot(root: Watch, wd: number): void {
    const others = [...this.#byWd.values()];
    const above = others.find((other) => isIn(root.path, other));
    if (above !== undefined) {
      this.#dropAt(above, nameOf(root.path), false);
      root.attach(above, nameOf(root.path));
    }
    for (const other of others) {
      const isBelow = other.parent === null && isIn(other.path, root);
      if (isBelow) other.attach(root, nameOf(other.path));
    }
    this.#set(root, wd);
  }

  /** Stops watching a path and everything below, except for other roots. */
  remove(path: string): void {
    for (const watch of [...this.#byWd.values()]) {
      if (watch.path === path) this.#remove(watch);
    }
  }

  #remove(watch: Watch): void {
    for (const child of [...watch.children.values()]) {
      if (child.isRoot) this.#separate(child);
      else this.#remove(child);
    }
    this.#drop(watch, true);
  }

  /** Keeps a root without the directory above. */
  #separate(root: Watch): void {
    const { path } = root;
    root.detach();
    root.name = path;
    this.#narrow(root);
  }

  /** Stops watching directories below a root for which only one above has asked. */
  #narrow(root: Watch): void {
    if (root.isRecursiveRoot) return;
    root.recursive = false;
    for (const child of [...root.children.values()]) {
      if (child.isRoot) this.#narrow(child);
      else this.#remove(child);
    }
  }

  /** From now on, the entries of all directories that were not read yet are reported. */
  reportAll(): void {
    for (const watch of this.#pending) watch.reports = true;
  }

  /** Reads and applies events, and watches new directories. */
  update(): void {
    this.#queue.read();
    this.#apply();
    const most = this.#events.length + MOST_EVENTS;
    do {
      this.#isUnfinished = this.#look();
      this.#apply();
    } while (this.#isUnfinished && this.#events.length < most);
    if (this.#pending.size === 0) this.#removeStale();
  }

  /** Whether `update()` has more to do without further events. */
  get isUnfinished(): boolean {
    return this.#isUnfinished;
  }

  #removeStale(): void {
    for (const wd of this.#stale) {
      if (!this.#byWd.has(wd)) this.#instance.unwatch(wd);
    }
    this.#stale.clear();
  }

  #apply(): void {
    for (let event; (event = this.#queue.next()) !== undefined;) {
      const watch = this.#byWd.get(event.wd);
      if ((event.mask & IN_Q_OVERFLOW) !== 0) this.#restart();
      else if (watch === undefined) continue;
      else if ((event.mask & IN_IGNORED) !== 0) this.#forget(watch);
      else if (event.name === "") this.#applyOwn(watch, event);
      else this.#applyEntry(watch, event);
    }
  }

  /**
   * The directory is deleted, which another event reports, unless a move has replaced
   * it. The kernel merges two moves to the same path, so the path is looked at again.
   */
  #forget(watch: Watch): void {
    this.#byWd.delete(watch.wd);
    watch.wd = -1;
    if (!watch.isDirectory || !watch.parent?.recursive) return;
    watch.reports = true;
    this.#pending.add(watch);
  }

  /**
   * Reports a root itself. The directory above reports all others, by name. No event
   * has the new path of a root that is moved, so its watch ends.
   */
  #applyOwn(watch: Watch, { mask }: RawEvent): void {
    const type = typeOf(mask);
    if (!watch.isRoot || watch.parent !== null || type === null) return;
    const { path, isDirectory } = watch;
    this.#events.push({ type, path, isDirectory });
    if (type === "delete") this.#drop(watch, (mask & IN_MOVE_SELF) !== 0);
  }

  #applyEntry(watch: Watch, event: RawEvent): void {
    const { mask, name } = event;
    if ((mask & IN_MOVED_FROM) !== 0) return this.#depart(watch, event);
    if ((mask & (IN_CREATE | IN_MOVED_TO)) !== 0) {
      return this.#create(watch, name, (mask & IN_ISDIR) !== 0);
    }
    const type = typeOf(mask);
    if (type === null) return;
    this.#report(type, watch, name, (mask & IN_ISDIR) !== 0);
    if (type === "delete") this.#dropAt(watch, name, false);
    else if (type === "attributes") this.#lookAgain(watch.children.get(name));
  }

  #lookAgain(watch: Watch | undefined): void {
    const isUnread = watch !== undefined && watch.wd < 0 && watch.recursive;
    if (!isUnread || this.#pending.has(watch)) return;
    watch.reports = true;
    this.#pending.add(watch);
  }

  #report(
    type: "create" | "modify" | "close" | "attributes" | "delete",
    watch: Watch,
    name: string,
    isDirectory: boolean,
  ): void {
    this.#events.push({ type, path: watch.pathOf(name), isDirectory });
  }

  #create(watch: Watch, name: string, isDirectory: boolean): void {
    // A directory that is moved into the tree may replace an empty one.
    const isReplaced = watch.recursive && watch.children.has(name);
    if (isReplaced) this.#report("delete", watch, name, true);
    if (isReplaced) this.#dropAt(watch, name, false);
    this.#report("create", watch, name, isDirectory);
    if (isDirectory && watch.recursive) this.#addPending(watch, name, true);
  }

  #addPending(parent: Watch, name: string, reports: boolean): void {
    const child = new Watch(name, true, true);
    child.attach(parent, name);
    child.reports = reports;
    this.#pending.add(child);
  }

  /** Joins the two halves of a move, or reports a move out of the tree as a deletion. */
  #depart(watch: Watch, { mask, cookie, name }: RawEvent): void {
    const isDirectory = (mask & IN_ISDIR) !== 0;
    const arrival = this.#queue.takeArrival(cookie);
    const target = arrival && this.#byWd.get(arrival.wd);
    if (arrival === undefined || target === undefined) {
      this.#report("delete", watch, name, isDirectory);
      return this.#dropAt(watch, name, true);
    }
    const from = watch.pathOf(name);
    const path = target.pathOf(arrival.name);
    this.#events.push({ type: "move", from, path, isDirectory });
    this.#move(watch.children.get(name), target, arrival.name, isDirectory);
  }

  #move(
    moved: Watch | undefined,
    target: Watch,
    name: string,
    isDirectory: boolean,
  ): void {
    moved?.detach();
    this.#dropAt(target, name, false);
    if (moved === undefined) {
      // Its content was not watched.
      if (isDirectory && target.recursive) this.#addPending(target, name, true);
      return;
    }
    moved.attach(target, name);
    if (target.recursive) {
      for (const each of moved.all()) this.#lookAgain(each);
      return;
    }
    if (moved.isRoot) this.#narrow(moved);
    else this.#remove(moved);
  }

  /** @param exists Whether the files are elsewhere, and still watched by the kernel */
  #dropAt(parent: Watch, name: string, exists: boolean): void {
    const watch = parent.children.get(name);
    if (watch !== undefined) this.#drop(watch, exists);
  }

  #drop(watch: Watch, exists: boolean): void {
    watch.detach();
    for (const each of watch.all()) {
      this.#pending.delete(each);
      if (each.wd < 0) continue;
      this.#byWd.delete(each.wd);
      if (exists) this.#instance.unwatch(each.wd);
    }
  }

  /** Reads the pending directories. Returns whether there may be more to read. */
  #look(): boolean {
    if (this.#pending.size === 0) return false;
    const { directories } = this.#queue.changes;
    const looks = [...this.#pending]
      .filter((watch) => !isMoved(watch, directories))
      .map((watch) => this.#lookAt(watch));
    const isDrained = this.#queue.read();
    const { changes } = this.#queue;
    const failed = looks.filter((look) =>
      !isDrained || isMoved(look.watch, changes.directories) ||
      !this.#commit(look, changes)
    );
    for (const { wd } of failed) this.#unwatchUnknown(wd);
    const hasEvents = changes.firsts.size > 0 && !this.#queue.isIncomplete;
    return hasEvents || failed.length < looks.length;
  }

  /** Watches a path, then reads its entries, so that none is missed in between. */
  #lookAt(watch: Watch): Look {
    let wd = -1;
    try {
      wd = this.#instance.watch(watch.path, true);
      return { watch, wd, entries: [...Deno.readDirSync(watch.path)] };
    } catch (error) {
      // It is looked at again when its attributes or its path change.
      if (!isGone(error)) this.#pending.delete(watch);
      if (!isGone(error) && !isUnreachable(error)) throw error;
      return { watch, wd, entries: null };
    }
  }

  #unwatchUnknown(wd: number): void {
    if (wd >= 0 && !this.#byWd.has(wd)) this.#instance.unwatch(wd);
  }

  /** Takes over the result of a look. Returns false if another path has the directory. */
  #commit({ watch, wd, entries }: Look, { firsts }: WaitingChanges): boolean {
    if (entries === null) return this.#forgetRoot(watch);
    const other = this.#byWd.get(wd) ?? watch;
    if (other !== watch && (!other.isRoot || other.parent !== null)) {
      return false;
    }
    this.#pending.delete(watch);
    if (other !== watch) this.#adopt(other, watch);
    else this.#set(watch, wd);
    this.#setEntries(other, entriesBefore(firsts, wd, entries));
    return true;
  }

  /** Forgets a root that is gone. Any other directory has an event that removes it. */
  #forgetRoot(watch: Watch): boolean {
    if (watch.parent !== null) return false;
    this.#drop(watch, false);
    return true;
  }

  /** Puts a root in the place of the directory that it is in the tree. */
  #adopt(root: Watch, place: Watch): void {
    const { parent, name, reports } = place;
    place.detach();
    root.recursive = true;
    root.reports = reports;
    root.attach(parent!, name);
  }

  #setEntries(watch: Watch, entries: ReadonlyMap<string, boolean>): void {
    for (const [name, isDirectory] of entries) {
      if (watch.reports) this.#report("create", watch, name, isDirectory);
      const isKnown = watch.children.has(name);
      if (isDirectory && !isKnown) this.#addPending(watch, name, watch.reports);
    }
  }

  #set(watch: Watch, wd: number): void {
    watch.wd = wd;
    this.#byWd.set(wd, watch);
  }

  /** Reads all watched paths again, because events were lost. */
  #restart(): void {
    this.#queue.clear();
    this.#events.push({ type: "overflow" });
    const roots = [...this.#byWd.values()].filter(({ isRoot }) => isRoot);
    const paths = roots.map(({ path }) => path);
    for (const wd of this.#byWd.keys()) this.#stale.add(wd);
    this.#byWd.clear();
    this.#pending.clear();
    roots.forEach((root, index) => {
      root.parent = null;
      root.name = paths[index]!;
      root.children.clear();
      root.reports = false;
    });
    for (const root of roots) this.#addAgain(root);
  }

  #addAgain(root: Watch): void {
    try {
      this.#setRoot(root, this.#instance.watch(root.path, root.isDirectory));
    } catch (error) {
      if (isGone(error)) return;
      throw error;
    }
    if (root.recursive) this.#pending.add(root);
  }
}

/** Whether the path of a watch may lead elsewhere, because of events that wait. */
function isMoved(watch: Watch, changed: ReadonlySet<EntryKey>): boolean {
  for (let at = watch; at.parent !== null; at = at.parent) {
    if (changed.has(entryKey(at.parent.wd, at.name))) return true;
  }
  return false;
}

/**
 * The entries of a directory before the events that wait, and whether each is a
 * directory. The events report the later entries.
 */
function entriesBefore(
  firsts: ReadonlyMap<EntryKey, RawEvent>,
  wd: number,
  entries: readonly Deno.DirEntry[],
): Map<string, boolean> {
  const before = new Map<string, boolean>();
  for (const { name, isDirectory } of entries) {
    if (!firsts.has(entryKey(wd, name))) before.set(name, isDirectory);
  }
  for (const event of firsts.values()) {
    const wasThere = (event.mask & (IN_DELETE | IN_MOVED_FROM)) !== 0;
    if (event.wd !== wd || !wasThere) continue;
    before.set(event.name, (event.mask & IN_ISDIR) !== 0);
  }
  return before;
}

/** Whether a path is that of an entry of a directory. */
function isIn(path: string, { path: directory }: Watch): boolean {
  const parent = path.slice(0, path.lastIndexOf("/")) || "/";
  return path.includes("/") && parent === directory && path !== directory;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
