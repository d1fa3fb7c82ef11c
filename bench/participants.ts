/**
 * The servers that take part in a benchmark.
 *
 * @module
 */

import { again, isControl, type Peer } from "./peers/peer.ts";
import { progress } from "./progress.ts";

/**
 * Puts the control after the yardstick, to which all servers outside a group refer.
 *
 * @param peers All servers. The first is the yardstick
 */
export function withControl(peers: readonly Peer[]): Peer[] {
  const [yardstick, ...others] = peers.map((peer) =>
    peer.group === undefined ? { ...peer, unit: peers[0]!.name } : peer
  );
  return [yardstick!, again(yardstick!), ...others];
}

/**
 * The yardsticks, their controls, and the servers whose names have one of the words.
 * Without words, all servers.
 */
export function chosen(
  peers: readonly Peer[],
  words: readonly string[],
): readonly Peer[] {
  if (words.length === 0) return peers;
  const units = new Set(peers.map(({ unit }) => unit));
  return peers.filter((peer) =>
    units.has(peer.name) || isControl(peer) ||
    words.some((word) => peer.name.toLowerCase().includes(word.toLowerCase()))
  );
}

/**
 * Prepares servers, and returns those that run here.
 *
 * @param install Whether those are installed that need no root for it
 */
export async function available(
  peers: readonly Peer[],
  install: boolean = false,
): Promise<Peer[]> {
  const able: Peer[] = [];
  for (const peer of peers) {
    progress(`prepare ${peer.name}`);
    if (install) await peer.install?.();
    const answer = await peer.available();
    if (answer === true) able.push(peer);
    else {
      progress("");
      console.error(`skipped ${peer.name}: ${answer}`);
    }
  }
  progress("");
  return able;
}

/** The versions of the servers and their runtimes, without repetition. */
export async function versionsOf(
  peers: readonly Peer[],
): Promise<Set<string>> {
  const names = new Set<string>();
  for (const peer of peers) {
    if (peer.version !== undefined) names.add(await peer.version());
  }
  return names;
}
