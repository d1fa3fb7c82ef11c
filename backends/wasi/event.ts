/**
 * `__wasi_event_t`: what `poll_oneoff` says has happened.
 *
 * Source of the layout: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

/** Where the fields are, in bytes: those of `fd_readwrite` counted from the start of the struct. */
export const EVENT = {
  size: 32,
  userdata: 0,
  error: 8,
  type: 10,
  nbytes: 16,
  flags: 24,
} as const;

/** Something that has happened. */
export interface Event {
  /** That of the subscription. */
  readonly userdata: bigint;
  /** An error number: 0 if the subscription was in order. */
  readonly error: number;
  /** `EVENTTYPE_*`. */
  readonly type: number;
  /** How many bytes can be read or written; 0 for a clock. */
  readonly nbytes: bigint;
  /** `EVENTRWFLAGS_*`. */
  readonly flags: number;
}

/** Writes an event where the program will read it. */
export function encodeEvent(view: DataView, at: number, event: Event): void {
  for (let offset = 0; offset < EVENT.size; offset += 8) {
    view.setBigUint64(at + offset, 0n, true);
  }
  view.setBigUint64(at + EVENT.userdata, event.userdata, true);
  view.setUint16(at + EVENT.error, event.error, true);
  view.setUint8(at + EVENT.type, event.type);
  view.setBigUint64(at + EVENT.nbytes, event.nbytes, true);
  view.setUint16(at + EVENT.flags, event.flags, true);
}

/** Reads an event. */
export function decodeEvent(view: DataView, at: number): Event {
  return {
    userdata: view.getBigUint64(at + EVENT.userdata, true),
    error: view.getUint16(at + EVENT.error, true),
    type: view.getUint8(at + EVENT.type),
    nbytes: view.getBigUint64(at + EVENT.nbytes, true),
    flags: view.getUint16(at + EVENT.flags, true),
  };
}
