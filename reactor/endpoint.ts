/**
 * The common part of listeners, streams and datagram sockets: a loop, a descriptor, and
 * a registration for the current events.
 *
 * @module
 */

import type { Callback } from "./callback.ts";
import type { Loop } from "./loop.ts";
import { DESTROY, PLACE } from "./owned.ts";

// The registration is one number: the events in the low bits, and three flags.
const EVENTS = (1 << 16) - 1;
/** Set by `unref()`. */
const UNREFERENCED = 1 << 16;
/** The registration outlasts its use: nothing waits for the events just now. */
const STANDBY = 1 << 17;
/** The loop counts the registration as unreferenced. */
const COUNTED = 1 << 18;

/**
 * Describes an endpoint: a symbol, because programs hold these objects. Its method
 * returns the name of the callback for input, the queued bytes, and whether it is paused.
 */
export const DESCRIBE: unique symbol = Symbol("describe");

/** The loop of an endpoint, for the classes that extend it. */
export let loopOf: (endpoint: Endpoint) => Loop;

/**
 * A descriptor that a reactor watches: a listener, a stream, a datagram socket.
 * `Acceptor`, `Stream`, `Datagram`, `Listener` and `Conn` extend it.
 *
 * It holds three fields, and no method of it is called for an event. Ten thousand
 * idle connections pay for every byte, and each message for every call.
 */
export abstract class Endpoint implements Disposable {
  /** The index in the list of the loop, which alone sets it. */
  [PLACE]: number = -1;
  readonly #loop: Loop;
  #registration = 0;

  /**
   * Called by the reactor's classes.
   *
   * @throws {Deno.errors.BadResource} if the reactor is closed, or is being closed
   */
  constructor(loop: Loop) {
    this.#loop = loop;
    loop.own(this);
  }

  /** The descriptor; -1 while there is none, and once closed. */
  abstract get fd(): number;

  /** Whether the endpoint was closed, or has ended because of an error. */
  abstract get closed(): boolean;

  /** Closes the descriptor. A second call has no effect. */
  abstract close(): void;

  /** Keeps `run()` and the process alive while this is open. This is the default. */
  ref(): void {
    this.#registration &= ~UNREFERENCED;
    Endpoint.#count(this);
  }

  /** Lets `run()` return and the process end although this is open. */
  unref(): void {
    this.#registration |= UNREFERENCED;
    Endpoint.#count(this);
  }

  /** Closes the endpoint at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Called by the loop when it is closed. */
  [DESTROY](_error?: Error): void {
    this.close();
  }

  /** Called by `reactor.describe()`. */
  [DESCRIBE](): [callback: string, bytesQueued: number, paused: boolean] {
    return ["", 0, false];
  }

  /** Whether `unref()` was called last, rather than `ref()`. */
  protected get unreferenced(): boolean {
    return (this.#registration & UNREFERENCED) !== 0;
  }

  /** The events and modes that are registered; 0 without a registration. */
  protected get interest(): number {
    return this.#registration & EVENTS;
  }

  /**
   * Registers for events, changes the registration, or ends it. A refused change
   * ends the registration.
   *
   * @param wanted `EVENT_*` and `MODE_*`; 0 to unregister
   * @param onReady Called with this endpoint and its ready events
   * @throws {SystemError} if the system refuses the change
   */
  protected watch(wanted: number, onReady: Callback): void {
    const before = this.#registration & EVENTS;
    if (wanted === before) return;
    this.#registration &= ~EVENTS;
    try {
      // A hang-up wakes every wait, whatever is asked for: 0 means unregister.
      if (wanted === 0) this.#loop.withdraw(this);
      else if (before === 0) this.#loop.register(this, wanted, onReady);
      else this.#loop.modify(this, wanted, onReady);
      this.#registration |= wanted;
    } finally {
      Endpoint.#count(this);
    }
  }

  /**
   * Ends the registration and leaves the loop, which saves a call because the
   * descriptor is closed next.
   */
  protected leave(): void {
    if ((this.#registration & EVENTS) !== 0) {
      this.#registration &= ~EVENTS;
      this.#loop.forget(this);
      Endpoint.#count(this);
    }
    this.#loop.disown(this);
  }

  /**
   * Says whether the registration outlasts its use, because a reader is likely to read
   * again. It then keeps neither `run()` nor the process alive.
   */
  protected setStandby(standby: boolean): void {
    if (standby === ((this.#registration & STANDBY) !== 0)) return;
    this.#registration ^= STANDBY;
    Endpoint.#count(this);
  }

  /** Updates the loop's count of unreferenced registrations. */
  static #count(endpoint: Endpoint): void {
    const bits = endpoint.#registration;
    const unreferenced = (bits & EVENTS) !== 0 &&
      (bits & (UNREFERENCED | STANDBY)) !== 0;
    if (unreferenced === ((bits & COUNTED) !== 0)) return;
    endpoint.#registration = bits ^ COUNTED;
    endpoint.#loop.countUnreferenced(unreferenced ? 1 : -1);
  }

  static {
    loopOf = (endpoint): Loop => endpoint.#loop;
  }
}
