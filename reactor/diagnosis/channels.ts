/**
 * The channels of `node:diagnostics_channel`. A message is made only for a channel that
 * has a subscriber.
 *
 * @module
 */

import type { Channel } from "node:diagnostics_channel";
import type { Diagnosis } from "./diagnosis.ts";

/** The names of the channels. `docs/observability.md` has their messages. */
export const CHANNELS = {
  opened: "pollux:connection.open",
  closed: "pollux:connection.close",
  backedOff: "pollux:accept.backoff",
  refused: "pollux:datagram.refuse",
  spin: "pollux:spin",
  stall: "pollux:stall",
} as const;

/** All channels of this thread, made when diagnosis begins. */
export type Channels = Readonly<Record<keyof typeof CHANNELS, Channel>>;

let channels: Promise<Channels> | undefined;

/** Loads the module, which takes some milliseconds, and makes the channels. */
export function openChannels(): Promise<Channels> {
  return channels ??= load();
}

async function load(): Promise<Channels> {
  const { channel } = await import("node:diagnostics_channel");
  const entries = Object.entries(CHANNELS)
    .map(([key, name]) => [key, channel(name)]);
  return Object.fromEntries(entries);
}

/** Publishes a spin or a stall. */
export function publishDiagnosis(
  channels: Channels,
  diagnosis: Diagnosis,
): void {
  const channel = channels[diagnosis.kind];
  if (channel.hasSubscribers) channel.publish(diagnosis);
}
