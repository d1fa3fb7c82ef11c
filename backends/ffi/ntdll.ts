/**
 * The calls of Windows NT below AFD and completion ports.
 *
 * Each returns its error: an NTSTATUS, which is 0 or another small number for success.
 * So none needs the last error, and a parked call knows its own.
 *
 * A HANDLE is `u32`, because Windows keeps handles in 32 bits. It is one of the first
 * four arguments of each call, which registers pass: their upper halves are 0. On the
 * stack, such a half could be anything.
 *
 * Sources: `<winternl.h>` and `<ddk/ntifs.h>` of mingw-w64; "File System" and "Kernel"
 * references of the Windows driver kit.
 *
 * @module
 */

import { isWindows, system } from "./current_system.ts";
import { type SystemError, systemError } from "./errors.ts";
import { type Calls, lazyFunctions } from "./libc.ts";
import { parked, u32 } from "./symbols.ts";

const NtRemoveIoCompletionEx = u32(
  "u32",
  "buffer",
  "u32",
  "buffer",
  "buffer",
  "u32",
);

const table = {
  // NTSTATUS NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess,
  //   POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
  //   PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess,
  //   ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength)
  NtCreateFile: u32(
    "buffer",
    "u32",
    "buffer",
    "buffer",
    "buffer",
    "u32",
    "u32",
    "u32",
    "u32",
    "buffer",
    "u32",
  ),
  // NTSTATUS NtDeviceIoControlFile(HANDLE FileHandle, HANDLE Event,
  //   PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock,
  //   ULONG IoControlCode, PVOID InputBuffer, ULONG InputBufferLength,
  //   PVOID OutputBuffer, ULONG OutputBufferLength)
  NtDeviceIoControlFile: u32(
    "u32",
    "u32",
    "u32",
    "u32",
    "buffer",
    "u32",
    "buffer",
    "u32",
    "buffer",
    "u32",
  ),
  // NTSTATUS NtCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel,
  //   PIO_STATUS_BLOCK IoStatusBlock)
  NtCancelIoFileEx: u32("u32", "buffer", "buffer"),
  // NTSTATUS NtCreateIoCompletion(PHANDLE IoCompletionHandle,
  //   ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, ULONG Count)
  NtCreateIoCompletion: u32("buffer", "u32", "buffer", "u32"),
  // NTSTATUS NtSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock,
  //   PVOID FileInformation, ULONG Length, FILE_INFORMATION_CLASS)
  NtSetInformationFile: u32("u32", "buffer", "buffer", "u32", "u32"),
  // NTSTATUS NtSetIoCompletion(HANDLE IoCompletionHandle, PVOID KeyContext,
  //   PVOID ApcContext, NTSTATUS IoStatus, ULONG_PTR IoStatusInformation)
  NtSetIoCompletion: u32("u32", "u32", "u32", "u32", "u32"),
  // NTSTATUS NtRemoveIoCompletionEx(HANDLE IoCompletionHandle,
  //   PFILE_IO_COMPLETION_INFORMATION IoCompletionInformation, ULONG Count,
  //   PULONG NumEntriesRemoved, PLARGE_INTEGER Timeout, BOOLEAN Alertable)
  NtRemoveIoCompletionEx,
  NtRemoveIoCompletionExParked: parked(
    "NtRemoveIoCompletionEx",
    NtRemoveIoCompletionEx,
  ),
  // NTSTATUS NtClose(HANDLE Handle)
  NtClose: u32("u32"),
  // ULONG RtlNtStatusToDosError(NTSTATUS Status)
  RtlNtStatusToDosError: u32("u32"),
};

/** The calls of Windows NT, each opened at its first use. */
export type Ntdll = Calls<typeof table>;

const calls: Ntdll | null = isWindows ? lazyFunctions([table]) : null;

/**
 * The calls of Windows NT.
 *
 * @param purpose The name of the feature that they make, for the error
 * @throws {Deno.errors.NotSupported} on another system
 */
export function ntdll(purpose: string): Ntdll {
  if (calls !== null) return calls;
  throw new Deno.errors.NotSupported(`${system().name} has no ${purpose}`);
}

/** Whether a status is a failure: its two highest bits are set. */
export function isFailure(status: number): boolean {
  return status >>> 30 === 3;
}

/** The error of a call that returned a status. */
export function statusError(call: string, status: number): SystemError {
  const number = ntdll("NTSTATUS").RtlNtStatusToDosError(status);
  return systemError(call, number);
}

/**
 * Returns the handle that a call writes.
 *
 * @throws {SystemError} as the call fails
 */
export function createHandle(
  call: string,
  create: (handle: Uint32Array<ArrayBuffer>) => number,
): number {
  const handle = new Uint32Array(new ArrayBuffer(8));
  const status = create(handle);
  if (isFailure(status)) throw statusError(call, status);
  return handle[0]!;
}
