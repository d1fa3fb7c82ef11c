/**
 * Messages that leave together. While a socket calls back with the messages of one
 * receive, the replies are gathered, and one call sends them.
 *
 * The memory belongs to one sender at a time. Before another one takes it, the messages
 * of the first leave, so messages of several sockets keep their order.
 *
 * @module
 */

import { SendBatch } from "../backends/ffi/send_batch.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { now } from "./clock.ts";

/** How many messages one call sends. */
const CAPACITY = 64;

/** Room for two of the largest messages. */
const BYTES = 128 * 1024;

/** A larger message costs more to copy than its call. */
const LARGEST_GATHERED = 4096;

/** Gathered messages leave after about so many milliseconds, if callbacks are slow. */
const LONGEST_DELAY = 1;

/**
 * The clock is read after so many received messages, and then after twice as many, while
 * callbacks are fast. A reading takes as long as a message.
 */
const FIRST_READING = 4;

/** The most messages between two readings. */
const LAST_READING = 64;

/** The sender of gathered messages. */
export interface Gatherer {
  /** Sends the messages in the batch, and queues those that the system does not take. */
  flushGathered(): void;
}

/** The batch of a thread, and the sender of the messages in it. */
export class Outbox {
  readonly batch: SendBatch = new SendBatch(CAPACITY, BYTES);
  /** The destinations of the messages in the batch, by index; older ones follow. */
  readonly addresses: (SocketAddress | null)[] = Array(CAPACITY).fill(null);
  /** Null if the batch is empty. */
  owner: Gatherer | null = null;

  /** Removes all messages. */
  clear(): void {
    this.batch.clear();
    this.owner = null;
  }
}

let outbox: Outbox | undefined;
/** The loop whose messages are gathered now. */
let gathering: object | null = null;
/** When the first messages were gathered that have not left. */
let since = 0;
/** How many messages are received until the clock is read, and after how many last time. */
let left = 0;
let interval = FIRST_READING;

/** Returns the outbox with the messages of a sender; those of others leave before. */
export function outboxOf(sender: Gatherer): Outbox {
  outbox ??= new Outbox();
  if (outbox.owner !== sender) {
    outbox.owner?.flushGathered();
    outbox.clear();
    outbox.owner = sender;
  }
  return outbox;
}

/** Returns the batch without a message: gathered ones leave before. */
export function emptyBatch(): SendBatch {
  outbox ??= new Outbox();
  outbox.owner?.flushGathered();
  outbox.clear();
  return outbox.batch;
}

/** Sends the messages that a sender has gathered. */
export function flushOutbox(sender: Gatherer): void {
  if (outbox?.owner === sender) sender.flushGathered();
}

/** Gathers the messages of a loop from now on. */
export function beginGathering(loop: object): void {
  gathering = loop;
  since = now();
  left = interval = FIRST_READING;
}

/**
 * Sends all gathered messages, and gathers no more. Called at the end of a receive; and
 * at the start of a run within a callback, whose events may depend on them.
 */
export function endGathering(): void {
  gathering = null;
  outbox?.owner?.flushGathered();
}

/** Whether a message of a loop is to be gathered. */
export function isGathered(loop: object, data: Uint8Array): boolean {
  return gathering === loop && data.length <= LARGEST_GATHERED;
}

/** Called with each received message: sends gathered ones that have waited for long. */
export function flushOverdue(): void {
  if (--left > 0 || gathering === null) return;
  const time = now();
  const isOverdue = time - since >= LONGEST_DELAY;
  interval = isOverdue ? FIRST_READING : Math.min(2 * interval, LAST_READING);
  left = interval;
  if (!isOverdue) return;
  since = time;
  outbox?.owner?.flushGathered();
}
