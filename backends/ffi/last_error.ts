/**
 * The last error of Windows, which takes the place of errno. It is one number for all
 * calls of a thread. It has to be read before anything else happens: see `errno.ts`.
 *
 * The number is in the thread's block, at an offset that has not changed since Windows
 * had 64 bits. Microsoft does not document it, so it is tried before it is used.
 *
 * Source: `NtQueryInformationThread` of `<winternl.h>`, with THREAD_BASIC_INFORMATION.
 *
 * @module
 */

import type { Errno } from "./errno.ts";
import { hasFullPermission } from "./permission.ts";

/** `openFunctions` of `library.ts`, which itself needs the last error. */
type OpenFunctions = <Symbols extends Deno.ForeignLibraryInterface>(
  definitions: Symbols,
) => Deno.StaticForeignLibraryInterface<Symbols>;

/** The pseudo handle of this thread: -2, in a register of 64 bits. */
const THIS_THREAD = 0xffff_ffff_ffff_fffen;

/** ThreadBasicInformation, its bytes, and the word that is the address of the block. */
const BASIC_INFORMATION = 0;
const INFORMATION_BYTES = 48;
const BLOCK = 1;

/** LastErrorValue of the thread's block. */
const LAST_ERROR = 0x68n;

/** Any number that no call sets. */
const TRIAL = 0x2f0a_11ed;

/**
 * Finds this thread's last error.
 *
 * @param open Opens functions of Windows
 * @throws {Deno.errors.NotSupported} if it is not where it always was
 */
export function findLastError(open: OpenFunctions): Errno {
  const calls = open(
    {
      // NTSTATUS NtQueryInformationThread(HANDLE ThreadHandle,
      //   THREADINFOCLASS ThreadInformationClass, PVOID ThreadInformation,
      //   ULONG ThreadInformationLength, PULONG ReturnLength)
      NtQueryInformationThread: {
        parameters: ["u64", "u32", "buffer", "u32", "pointer"],
        result: "u32",
      },
      // void *memcpy(void *dest, const void *src, size_t n)
      memcpy: { parameters: ["buffer", "u64", "u32"], result: "pointer" },
    } as const,
  );
  const { SetLastError } = open(
    {
      // void SetLastError(DWORD dwErrCode)
      SetLastError: { parameters: ["u32"], result: "void" },
    } as const,
  );
  const information = new BigUint64Array(new ArrayBuffer(INFORMATION_BYTES));
  calls.NtQueryInformationThread(
    THIS_THREAD,
    BASIC_INFORMATION,
    information,
    INFORMATION_BYTES,
    null,
  );
  const location = information[BLOCK]! + LAST_ERROR;
  const memory = mapped(location) ?? new Int32Array(new ArrayBuffer(4));
  const copy = hasFullPermission() ? null : calls.memcpy;
  SetLastError(TRIAL);
  copy?.(memory, location, 4);
  if (memory[0] === TRIAL) return { memory, location, copy };
  throw new Deno.errors.NotSupported("Windows has moved its last error");
}

/** Maps the number; null under a scoped permission, which cannot map memory. */
function mapped(location: bigint): Int32Array<ArrayBuffer> | null {
  if (!hasFullPermission()) return null;
  const pointer = Deno.UnsafePointer.create(location)!;
  return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 4));
}
