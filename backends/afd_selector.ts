/**
 * The selector for Windows. The head of `afd.ts` explains AFD.
 *
 * A registration has at most one poll at a time. Level-triggered means here that each
 * wait first starts the polls that ended in the one before.
 *
 * @module
 */

import {
  AFD_POLL_ABORT,
  AFD_POLL_ACCEPT,
  AFD_POLL_CONNECT_FAIL,
  AFD_POLL_DISCONNECT,
  AFD_POLL_LOCAL_CLOSE,
  AFD_POLL_RECEIVE,
  AFD_POLL_RECEIVE_EXPEDITED,
  AFD_POLL_SEND,
  AfdInstance,
  BATCH,
} from "./afd.ts";
import { BaseSelector } from "./base_selector.ts";
import { baseHandle } from "./ffi/base_handle.ts";
import { systemError } from "./ffi/errors.ts";
import { hasAfd } from "./ffi/structs/afd_poll.ts";
import type { Platform } from "./ffi/system.ts";
import { grown } from "./int32_arrays.ts";
import {
  ALL_EVENTS,
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  MODE_ONE_SHOT,
} from "./selector.ts";

const READABLE = AFD_POLL_RECEIVE | AFD_POLL_ACCEPT | AFD_POLL_DISCONNECT;
const FAILED = AFD_POLL_ABORT | AFD_POLL_CONNECT_FAIL;

// The states of a descriptor; any other is the number of its poll, plus 1.
/** It has no poll: not registered, or a one-shot registration that has fired. */
const IDLE = 0;
/** The next wait starts its poll. */
const QUEUED = -1;

/** The bookkeeping of a selector, on polls of AFD. */
export class AfdSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** Whether a system has AFD. */
  static available(platform: Platform): boolean {
    return hasAfd(platform);
  }

  /** A poll that is started during a wait can end it. */
  override readonly seesChangesWhileParked: boolean = true;
  readonly #afd = new AfdInstance();
  /** The state of each descriptor. */
  #states = new Int32Array(64);
  /** The base handle of each descriptor's socket. */
  #sockets = new Int32Array(64);
  /** The descriptor of each poll. */
  #fds = new Int32Array(32);
  /** The AFD_POLL_* bits that each poll asks for. */
  #asked = new Int32Array(32);
  /** The descriptors in the state QUEUED, and former ones. */
  #queue = new Int32Array(64);
  #queued = 0;
  /** Descriptors that a wait found closed; empty between waits. */
  readonly #invalid: number[] = [];
  #parked = false;

  /**
   * Creates a selector with a completion port.
   *
   * @throws {Deno.errors.NotSupported} on a system without AFD
   * @throws {SystemError} if the system lacks memory or handles
   */
  constructor() {
    super(EVENT_PRIORITY | EVENT_HANG_UP | MODE_ONE_SHOT);
  }

  /** Starts to watch a socket. */
  protected override watch(fd: number, events: number): void {
    this.#makeRoom(fd);
    this.#sockets[fd] = openSocket(fd);
    this.#enqueue(fd, events);
  }

  /** Changes the events of a socket. */
  protected override rewatch(fd: number, events: number): void {
    const state = this.#states[fd]!;
    // Less interest, or the same: events that are not asked for are ignored.
    const asked = state > 0 ? this.#asked[state - 1]! : 0;
    if (state > 0 && (afdEvents(events) & ~asked) === 0) return;
    // The number may belong to another socket by now, or be closed.
    this.#sockets[fd] = openSocket(fd);
    this.#cancel(fd);
    this.#enqueue(fd, events);
  }

  /** Stops watching a socket. */
  protected override unwatch(fd: number): void {
    this.#cancel(fd);
  }

  /** Stops watching a socket that is closed next, which ends its poll. */
  protected override unwatchClosing(fd: number): void {
    if (this.#states[fd]! > 0) this.#states[fd] = IDLE;
  }

  /** Waits once, and fills `ready`. Packets of cancelled polls end it early. */
  protected override fill(timeout: number): void {
    this.#startQueued();
    let left = this.ready.count > 0 ? 0 : timeout;
    let count: number;
    do {
      count = this.#afd.wait(left);
      this.#decode(count);
      left = 0;
    } while (count === BATCH);
  }

  /** Waits once on another thread, and fills `ready`. */
  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const end = performance.now() + timeout;
    this.#parked = true;
    try {
      for (let left = timeout;;) {
        this.#startQueued();
        if (this.ready.count > 0) return;
        const count = await this.#afd.waitParked(left, referenced);
        if (this.closed) return;
        this.#decode(count);
        left = end - performance.now();
        if (this.ready.count > 0 || left <= 0) return;
      }
    } finally {
      this.#parked = false;
    }
  }

  /** Releases the system's resources. */
  protected override release(): void {
    this.#afd.close();
  }

  /** Starts the poll of a descriptor with the next wait, or now if that is under way. */
  #enqueue(fd: number, events: number): void {
    if (this.#states[fd] === QUEUED) return;
    if (this.#parked && this.#start(fd, events)) return;
    this.#push(fd);
  }

  #push(fd: number): void {
    this.#states[fd] = QUEUED;
    if (this.#queued === this.#queue.length) {
      this.#queue = grown(this.#queue, this.#queued * 2);
    }
    this.#queue[this.#queued++] = fd;
  }

  #startQueued(): void {
    for (let index = 0; index < this.#queued; index++) {
      const fd = this.#queue[index]!;
      if (this.#states[fd] !== QUEUED) continue;
      this.#states[fd] = IDLE;
      const events = this.registrations.events(fd);
      if (events !== 0 && !this.#start(fd, events)) this.#invalid.push(fd);
    }
    this.#queued = 0;
    this.#loseInvalid();
  }

  /** Starts a poll; false if the socket is closed. */
  #start(fd: number, events: number): boolean {
    const asked = afdEvents(events);
    const poll = this.#afd.start(this.#sockets[fd]!, asked);
    if (poll < 0) return false;
    if (poll >= this.#fds.length) {
      this.#fds = grown(this.#fds, poll * 2);
      this.#asked = grown(this.#asked, poll * 2);
    }
    this.#states[fd] = poll + 1;
    this.#fds[poll] = fd;
    this.#asked[poll] = asked;
    return true;
  }

  /** Ends the poll of a descriptor: its packet is ignored from now on. */
  #cancel(fd: number): void {
    const state = this.#states[fd]!;
    if (state <= 0) return;
    this.#states[fd] = IDLE;
    this.#afd.cancel(state - 1);
  }

  #decode(count: number): void {
    this.ready.reserve(this.ready.count + count);
    for (let packet = 0; packet < count; packet++) {
      const poll = this.#afd.poll(packet);
      if (poll < 0) continue;
      const fd = this.#fds[poll]!;
      // Cancelled: the descriptor has no poll, or another one.
      if (this.#states[fd] !== poll + 1) continue;
      this.#states[fd] = IDLE;
      this.#report(fd, this.#afd.events(packet));
    }
    this.#loseInvalid();
  }

  /** Reports the events of a poll that has ended. */
  #report(fd: number, bits: number): void {
    if ((bits & AFD_POLL_LOCAL_CLOSE) !== 0 || this.isGone(fd)) {
      this.#invalid.push(fd);
      return;
    }
    const interest = this.registrations.events(fd);
    const events = (selectorEvents(bits) |
      ((bits & FAILED) === 0 ? 0 : this.hangUpEvents(fd))) & interest;
    if ((events & ALL_EVENTS) !== 0) {
      this.ready.push(fd, this.registrations.generation(fd), events);
      if ((interest & MODE_ONE_SHOT) !== 0) return;
    }
    this.#push(fd);
  }

  #loseInvalid(): void {
    if (this.#invalid.length === 0) return;
    for (const fd of this.#invalid) this.lose(fd);
    this.#invalid.length = 0;
  }

  #makeRoom(fd: number): void {
    if (fd < this.#states.length) return;
    const length = Math.max(fd + 1, this.#states.length * 2);
    this.#states = grown(this.#states, length);
    this.#sockets = grown(this.#sockets, length);
  }
}

/** The base handle of an open socket. */
function openSocket(fd: number): number {
  const socket = baseHandle(fd);
  if (socket < 0) throw systemError("register", -socket, `fd ${fd}`);
  return socket;
}

/** From `EVENT_*` to AFD_POLL_*. A failure and a close are always asked for. */
function afdEvents(events: number): number {
  return FAILED | AFD_POLL_LOCAL_CLOSE |
    ((events & EVENT_READ) === 0 ? 0 : READABLE) |
    ((events & EVENT_WRITE) === 0 ? 0 : AFD_POLL_SEND) |
    ((events & EVENT_PRIORITY) === 0 ? 0 : AFD_POLL_RECEIVE_EXPEDITED) |
    ((events & EVENT_HANG_UP) === 0 ? 0 : AFD_POLL_DISCONNECT);
}

/** From AFD_POLL_* to `EVENT_*`, except for failures in both directions. */
function selectorEvents(bits: number): number {
  return ((bits & READABLE) === 0 ? 0 : EVENT_READ) |
    ((bits & AFD_POLL_SEND) === 0 ? 0 : EVENT_WRITE) |
    ((bits & AFD_POLL_RECEIVE_EXPEDITED) === 0 ? 0 : EVENT_PRIORITY) |
    ((bits & (AFD_POLL_DISCONNECT | FAILED)) === 0 ? 0 : EVENT_HANG_UP);
}
