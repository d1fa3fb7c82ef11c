/**
 * System calls on descriptors that only tests make.
 */

import { assert } from "@std/assert";
import { system } from "../backends/ffi/current_system.ts";
import {
  close,
  dup,
  hasPipes,
  isOpen,
  pipe,
  read,
  WOULD_BLOCK,
} from "../backends/ffi/descriptor.ts";
import { Socket, socketPair } from "../backends/ffi/socket.ts";
import { openFile } from "../backends/ffi/open_path.ts";
import { systemError } from "../backends/ffi/errors.ts";
import { fcntl, libc } from "../backends/ffi/libc.ts";
import { ntdll } from "../backends/ffi/ntdll.ts";
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

/** Handles that a number may take on Windows, which has no dup2, until it is free again. */
const MOST_COPIES = 2000;

// <winbase.h>, <winnt.h>
const THIS_PROCESS = 0xffff_ffff_ffff_ffffn;
const DUPLICATE_SAME_ACCESS = 2;

function openDuplicateHandle(): (
  fromProcess: bigint,
  handle: number,
  toProcess: bigint,
  copy: Uint32Array<ArrayBuffer>,
  access: number,
  inherit: number,
  options: number,
) => number {
  return openFunctions(
    {
      // BOOL DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle,
      //   HANDLE hTargetProcessHandle, LPHANDLE lpTargetHandle,
      //   DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwOptions)
      DuplicateHandle: {
        parameters: ["u64", "u32", "u64", "buffer", "u32", "u32", "u32"],
        result: "u32",
      },
    } as const,
  ).DuplicateHandle;
}

const callDuplicateHandle = hasPipes ? null : openDuplicateHandle();

/**
 * Copies a handle. The copy gets the lowest free number, as that of dup(2) does, but
 * Winsock does not know it.
 */
function duplicateHandle(handle: number): number {
  const copy = new Uint32Array(2);
  const done = callDuplicateHandle!(
    THIS_PROCESS,
    handle,
    THIS_PROCESS,
    copy,
    0,
    0,
    DUPLICATE_SAME_ACCESS,
  );
  if (done === 0) throw new Deno.errors.BadResource(`No handle ${handle}`);
  return copy[0]!;
}

function closeHandle(handle: number): void {
  ntdll("dup2").NtClose(handle);
}

/** A socket with a low number, which can be freed. */
let spare = hasPipes ? null : Socket.create();

/** Lets the next number that a test opens be above that of the spare socket. */
export function reserveLowNumber(): void {
  if (spare === null) return;
  const other = Socket.create();
  const [low, high] = other.fd < spare.fd ? [other, spare] : [spare, other];
  high.close();
  spare = low;
}

/**
 * To copy a socket, Winsock first opens a handle for the time of the call. So two
 * numbers have to be the lowest free ones: any, and then the wanted one.
 */
function duplicateTo(fd: number, number: number): void {
  if (fd === number) return;
  if (isOpen(number)) close(number);
  const taken: number[] = [];
  do taken.push(duplicateHandle(fd)); while (
    taken.at(-1) !== number && taken.length < MOST_COPIES
  );
  const lower = taken.find((handle) => handle < number);
  if (lower === undefined) spare!.close();
  else closeHandle(lower);
  if (taken.includes(number)) closeHandle(number);
  const copy = dup(fd);
  if (lower === undefined) spare = Socket.create();
  for (const handle of taken) {
    if (handle !== lower && handle !== number) closeHandle(handle);
  }
  if (copy === number) return;
  close(copy);
  throw new Deno.errors.NotSupported(`Windows does not give out ${number}`);
}

/** The numbers of the ends of a pipe, or of two sockets where there is none. */
export function pipeEnds(): [reader: number, writer: number] {
  if (hasPipes) return pipe();
  const [reader, writer] = socketPair();
  return [reader.detach(), writer.detach()];
}

/** Reads once there is something, which on TCP may take a moment. */
export function readSoon(fd: number, buffer: BufferSource): number {
  for (;;) {
    const count = read(fd, buffer);
    if (count !== WOULD_BLOCK) return count;
  }
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
