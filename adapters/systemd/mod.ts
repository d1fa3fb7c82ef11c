/**
 * Services under systemd: inherited sockets, messages to the service manager, and
 * restarts in which no connection fails. The restarts need no systemd.
 *
 * @module
 */

export { HotRestart, takeOver, type TakeOverOptions } from "./hot_restart.ts";
export {
  type InheritedFile,
  inheritedFiles,
  type InheritedSocket,
  inheritedSockets,
} from "./inherited.ts";
export { notify, type ServiceState, watchdogInterval } from "./notify.ts";
export type { Listeners } from "./offer.ts";
