/**
 * One `serve()` of a reactor: its share of the thread, and its parked waits.
 *
 * @module
 */

import { now } from "../clock.ts";
import { denoTurn } from "./deno_turn.ts";
import { parking, type Seat } from "../parking.ts";
import type { ParkedWaits, ServedLoop } from "./shared_loop.ts";
import { Sharing } from "./sharing.ts";

/** Runs a loop next to Deno's, and parks it while it has nothing to do. */
export class Serving implements ParkedWaits {
  readonly #loop: ServedLoop;
  readonly #sharing: Sharing;
  readonly #seat: Seat;

  private constructor(loop: ServedLoop, seat: Seat, interval: number) {
    this.#loop = loop;
    this.#seat = seat;
    this.#sharing = new Sharing(loop, this, interval);
  }

  /**
   * Begins: creates the waker, the clock and the watch of Deno's I/O.
   *
   * @param interval Milliseconds between two turns of Deno's loop, at most
   * @throws {SystemError} `EMFILE`: no descriptors left
   */
  static async begin(loop: ServedLoop, interval: number): Promise<Serving> {
    const seat = parking.enter(loop.selector);
    try {
      return new Serving(loop, seat, interval);
    } catch (error) {
      await parking.leave(seat);
      throw error;
    }
  }

  /** Resolves when the loop is to end. */
  share(): Promise<void> {
    return this.#sharing.share();
  }

  /** Resolves when no wait on another thread uses the selector of the loop. */
  async end(): Promise<void> {
    await parking.leave(this.#seat);
    await this.#sharing.close();
  }

  alone(): boolean {
    return parking.seats === 1;
  }

  lookAfterOthers(): void {
    parking.look();
  }

  /**
   * Waits while Deno's loop runs. With nothing registered, `wake()` and later
   * registrations still end the wait, which then does not keep the process alive.
   */
  async park(wakeAfter: (milliseconds: number) => boolean): Promise<number> {
    const loop = this.#loop;
    if (loop.isDone()) loop.stop();
    if (loop.ending() || loop.timeout() === 0) return 0;
    const start = now();
    const alarm = this.#parkForAlarm(start, wakeAfter);
    const wait = alarm ?? this.#parkOnThread(start);
    await wait;
    const waited = wait === null ? 0 : now() - start;
    if (wait !== null && !loop.closed) loop.turn(0);
    // The result of a call on a thread comes before timers: alone it would starve them.
    if (alarm === null && !loop.ending()) await denoTurn.runTimers();
    return waited;
  }

  /** Returns null if there is no alarm for this loop. */
  #parkForAlarm(
    start: number,
    wakeAfter: (milliseconds: number) => boolean,
  ): Promise<void> | null {
    const timeout = this.#loop.timeout();
    // It also clears a clock that has expired.
    if (!wakeAfter(timeout)) return null;
    const referenced = this.#loop.keepsAlive();
    return parking.parkForAlarm(this.#seat, start + timeout, referenced);
  }

  #parkOnThread(start: number): Promise<void> | null {
    const loop = this.#loop;
    // Some selectors have events that no wait of the system reports.
    if (loop.turn(0) > 0 || loop.ending() || loop.isDone()) return null;
    const timeout = loop.timeout();
    if (timeout === 0) return null;
    return parking.park(this.#seat, start + timeout, loop.keepsAlive());
  }

  /** Ends a parked wait that ends later than a deadline of `now()`. */
  expect(deadline: number): void {
    if (deadline < this.#seat.deadline) this.interrupt();
  }

  /**
   * Ends a parked wait that does not see changed registrations, keeps the process alive
   * for no reason, or has nothing left to wait for.
   */
  changed(): void {
    const { resume, referenced } = this.#seat;
    if (resume === null) return;
    const loop = this.#loop;
    const blind = loop.selector.waitFd < 0;
    if (blind || referenced !== loop.keepsAlive() || loop.isDone()) {
      this.interrupt();
    }
  }

  /** Ends the parked wait, if one is under way. */
  interrupt(): void {
    parking.unpark(this.#seat);
  }
}
