/**
 * A watched file or directory. The directories of a watched tree are linked by name, so
 * that a moved directory takes everything below along.
 *
 * @module
 */

/** A watched file or directory. The kernel identifies it by its watch descriptor. */
export class Watch {
  /** The watch descriptor; -1 before it is known. */
  wd = -1;
  /** The directory above; null if that is not watched. */
  parent: Watch | null = null;
  /** The name in the directory above, or the whole path. */
  name: string;
  readonly isDirectory: boolean;
  /** Whether the directories below are watched, too. */
  recursive: boolean;
  /** Whether the user has asked for it, rather than for a directory above it. */
  isRoot = false;
  /** Whether the user has asked for the directories below it, too. */
  isRecursiveRoot = false;
  /** Whether the entries that it has already are reported. */
  reports = true;
  /** The watched files and directories in this directory. */
  readonly children = new Map<string, Watch>();

  constructor(name: string, isDirectory: boolean, recursive: boolean) {
    this.name = name;
    this.isDirectory = isDirectory;
    this.recursive = recursive;
  }

  /** The path, which begins with that of a root. */
  get path(): string {
    return this.parent === null ? this.name : this.parent.pathOf(this.name);
  }

  /** The path of an entry. */
  pathOf(name: string): string {
    const { path } = this;
    return path.endsWith("/") ? path + name : `${path}/${name}`;
  }

  /** Links it to the directory above. */
  attach(parent: Watch, name: string): void {
    this.parent = parent;
    this.name = name;
    parent.children.set(name, this);
  }

  /** Unlinks it from the directory above. */
  detach(): void {
    if (this.parent?.children.get(this.name) === this) {
      this.parent.children.delete(this.name);
    }
    this.parent = null;
  }

  /** Itself and everything below. */
  *all(): Generator<Watch, void> {
    yield this;
    for (const child of this.children.values()) yield* child.all();
  }
}
