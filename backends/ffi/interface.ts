/**
 * Network interfaces, by name or by number.
 *
 * @module
 */

import { libc } from "./libc.ts";

/** IFNAMSIZ of `<net/if.h>` on every system, with the NUL at the end. */
const NAME_BYTES = 16;

/**
 * The number of an interface, which what stands behind the "%" of an address names,
 * as in "eth0" or "2".
 *
 * @returns null if there is none of that name
 */
export function interfaceNumber(name: string): number | null {
  if (/^\d+$/.test(name)) {
    const number = Number(name);
    return number <= 0xffff_ffff ? number : null;
  }
  const bytes = new TextEncoder().encode(`${name}\0`);
  if (bytes.length > NAME_BYTES || bytes.indexOf(0) !== bytes.length - 1) {
    return null;
  }
  return libc().if_nametoindex?.(bytes) || null;
}
