/**
 * System calls on descriptors that only tests make.
 */

import { assert } from "@std/assert";
import { system } from "../backends/ffi/current_system.ts";
import { close, dup, hasPipes, isOpen } from "../backends/ffi/descriptor.ts";
import { Socket } from "../backends/ffi/socket.ts";
import { openFile } from "../backends/ffi/open_path.ts";
import { systemError } from "../backends/ffi/errors.ts";
import { fcntl, libc } from "../backends/ffi/libc.ts";
import { openFunctions } from "../backends/ffi/library.ts";

function openDup2(): (from: number, to: number) => number {
  return openFunctions(
    {
      // int dup2(int oldfd, int newfd)
      dup2: { parameters: ["i32", "i32"], result: "i32" },
    } as const,
  ).dup2;
}

const callDup2 = hasPipes ? openDup2() : null;

/** Duplicates `fd` to `number`, which is closed first if it is open. */
export function dup2(fd: number, number: number): void {
  if (callDup2 === null) return duplicateTo(fd, number);
  const result = callDup2(fd, number);
  if (result < 0) throw systemError("dup2", -result);
}

/** Copies that a number may take on Windows, which has no dup2, until it is free again. */
const MOST_COPIES = 2000;

/**
 * An open number below those of the tests. To copy a socket, Winsock opens a handle for
 * the time of the call, and that takes the lowest free number.
 */
let spare = callDup2 === null ? Socket.create() : null;

/** Windows gives out free numbers again: it makes copies until one has the number. */
function duplicateTo(fd: number, number: number): void {
  if (fd === number) return;
  if (isOpen(number)) close(number);
  const surplus: number[] = [];
  spare?.close();
  try {
    for (let count = 0; count < MOST_COPIES; count++) {
      const copy = dup(fd);
      if (copy === number) return;
      surplus.push(copy);
    }
  } finally {
    spare = Socket.create();
    for (const copy of surplus) close(copy);
  }
  throw new Deno.errors.NotSupported(`Windows does not give out ${number}`);
}

/** Whether a descriptor is close-on-exec. */
export function isCloseOnExec(fd: number): boolean {
  if (!hasPipes) return !isInherited(fd);
  const { F_GETFD, FD_CLOEXEC } = system().constants;
  return (fcntl(fd, F_GETFD) & FD_CLOEXEC) !== 0;
}

function openHandleInformation(): (
  handle: number,
  flags: Uint32Array<ArrayBuffer>,
) => number {
  return openFunctions(
    {
      // BOOL GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags)
      GetHandleInformation: { parameters: ["u32", "buffer"], result: "u32" },
    } as const,
  ).GetHandleInformation;
}

const handleInformation = hasPipes ? null : openHandleInformation();

/** Whether Windows passes a handle to child processes. */
function isInherited(handle: number): boolean {
  const flags = new Uint32Array(1);
  assert(handleInformation!(handle, flags) !== 0);
  return (flags[0]! & 1) !== 0; // HANDLE_FLAG_INHERIT
}

/** `<asm-generic/ioctls.h>` of Linux. */
const TIOCSPTLCK = 0x40045431;
const TIOCGPTN = 0x80045430;

/** Opens both ends of a pseudo terminal; Linux only. */
export function openTerminal(): [master: number, slave: number] {
  const [master, path] = openMaster();
  return [master, openFile(path, "r+")];
}

/** Opens one end of a pseudo terminal, as posix_openpt, unlockpt and ptsname do. */
export function openMaster(): [master: number, slave: string] {
  const master = openFile("/dev/ptmx", "r+");
  const word = new Int32Array(new ArrayBuffer(4));
  control(master, TIOCSPTLCK, word);
  control(master, TIOCGPTN, word);
  return [master, `/dev/pts/${word[0]}`];
}

function control(
  fd: number,
  operation: number,
  word: Int32Array<ArrayBuffer>,
): void {
  const result = libc().ioctl!(fd, operation, word);
  if (result < 0) throw systemError("ioctl", -result);
}
