/**
 * The states of a loop:
 *
 * | state   | entered by             | followed by               |
 * | ------- | ---------------------- | ------------------------- |
 * | idle    | creation               | running, serving, closing |
 * | running | `run()`, `runOnce()`   | idle                      |
 * | serving | `serve()`              | idle, closing             |
 * | closing | `close()`              | closed                    |
 * | closed  | its resources are gone | none                      |
 *
 * @module
 */

/** The state of a loop. */
export type State = "idle" | "running" | "serving" | "closing" | "closed";

/** The states that may follow each state. */
const FOLLOWING: Readonly<Record<State, readonly State[]>> = {
  idle: ["running", "serving", "closing"],
  running: ["idle"],
  serving: ["idle", "closing"],
  closing: ["closed"],
  closed: [],
};

/** Keeps the state of one loop. */
export class Lifecycle {
  /** The state; only `enter()` and its callers change it. */
  state: State = "idle";
  /** Whether `run()` or `serve()` ends after this turn. */
  stopping = false;
  /** Whether callbacks are being called: no other run may begin, and the loop not close. */
  dispatching = false;

  /** Whether `run()`, `runOnce()` or `serve()` is under way. */
  get running(): boolean {
    return this.state === "running" || this.state === "serving";
  }

  /** Whether the loop is closed. */
  get closed(): boolean {
    return this.state === "closed";
  }

  /**
   * Enters a state.
   *
   * @param busy The message if the state does not follow the present one
   * @throws {Deno.errors.Busy} if so
   */
  enter(state: State, busy: string): void {
    if (this.dispatching || !FOLLOWING[this.state].includes(state)) {
      throw new Deno.errors.Busy(busy);
    }
    this.state = state;
  }

  /** Ends a run, unless it has closed the loop. Returns whether the loop is closed. */
  end(): boolean {
    this.stopping = false;
    if (!this.closed) this.state = "idle";
    return this.closed;
  }

  /** @throws {Deno.errors.BadResource} if the loop is closed */
  checkOpen(): void {
    if (this.closed) throw closedError();
  }

  /** @throws {Deno.errors.BadResource} if the loop is closed or closing */
  checkNotClosing(): void {
    if (this.state === "closing" || this.closed) throw closedError();
  }
}

function closedError(): Error {
  return new Deno.errors.BadResource("Reactor is closed");
}
