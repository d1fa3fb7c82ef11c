/**
 * The process at the other end of a Unix socket.
 *
 * Sources: unix(7) of Linux, FreeBSD and NetBSD; `<sys/ucred.h>`, `<sys/un.h>` of
 * xnu-11417, FreeBSD 14 and NetBSD 10.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { systemError } from "./errors.ts";

/** The process that connected, or that listens. */
export interface PeerCredentials {
  /** The number of the process; null if the system does not report it. */
  readonly pid: number | null;
  /** The effective user. */
  readonly uid: number;
  /** The effective group. */
  readonly gid: number;
}

/** The number that no user has on any system: (uid_t) -1. */
const NO_USER = 0xffff_ffff;

/** Reads an option of a socket by its numbers. */
type GetOption = (
  level: number,
  number: number,
  byteLength: number,
) => Uint8Array<ArrayBuffer>;

/**
 * Asks the system for the peer.
 *
 * @throws {Deno.errors.NotSupported} if this system has no such option
 * @throws {SystemError} `Deno.errors.NotConnected` if there is no peer
 */
export function readCredentials(getOption: GetOption): PeerCredentials {
  const { os, name, constants } = system();
  switch (os) {
    case "linux": {
      // SO_PEERCRED: struct ucred { pid_t pid; uid_t uid; gid_t gid; }
      const view = viewOf(getOption(constants.SOL_SOCKET, 17, 12));
      return requirePeer(at(view, 0, 4, 8));
    }
    case "darwin": {
      // LOCAL_PEERCRED is a struct xucred, LOCAL_PEERPID a pid_t
      const credentials = at(viewOf(getOption(0, 1, 76)), null, 4, 12);
      const pid = viewOf(getOption(0, 2, 4)).getInt32(0, true);
      return { ...credentials, pid };
    }
    case "freebsd":
      // LOCAL_PEERCRED: struct xucred, with cr_pid behind its groups
      return at(viewOf(getOption(0, 1, 88)), 80, 4, 12);
    case "netbsd":
      // LOCAL_PEEREID: struct unpcbid { pid_t unp_pid; uid_t unp_euid; gid_t unp_egid; }
      return at(viewOf(getOption(0, 3, 12)), 0, 4, 8);
    default:
      throw new Deno.errors.NotSupported(
        `Cannot read the credentials of a peer: ${name} lacks the option`,
      );
  }
}

/** Linux has no error for a socket without a peer: the user is then (uid_t) -1. */
function requirePeer(credentials: PeerCredentials): PeerCredentials {
  if (credentials.uid !== NO_USER) return credentials;
  throw systemError("getsockopt", system().errno.ENOTCONN!);
}

function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView {
  return new DataView(bytes.buffer);
}

function at(
  view: DataView,
  pid: number | null,
  uid: number,
  gid: number,
): PeerCredentials {
  return {
    pid: pid === null ? null : view.getInt32(pid, true),
    uid: view.getUint32(uid, true),
    gid: view.getUint32(gid, true),
  };
}
