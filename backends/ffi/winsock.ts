/**
 * The functions of Windows that no C library has under the same name: Winsock's own, and
 * a few for handles and errors.
 *
 * Winsock took `recv`, `bind`, `getsockopt` and others from BSD, with their names and
 * types. `libc()` has these on Windows, too.
 *
 * A SOCKET and a HANDLE are numbers of the kernel, multiples of four. Windows keeps them
 * below 2^26, though their type has 64 bits. So a number is one here, `i32`, and
 * INVALID_SOCKET is -1 as the result of every other failed call.
 *
 * Sources: the Windows Sockets 2 reference; `<winsock2.h>`, `<mswsock.h>`,
 * `<handleapi.h>`, `<winbase.h>`.
 *
 * @module
 */

import { isWindows } from "./current_system.ts";
import { type Calls, lazyFunctions } from "./libc.ts";
import { i32, parked, u32 } from "./symbols.ts";

/**
 * The most bytes of one send, more than any datagram has. While the buffer of a socket
 * has any room, Windows takes a send of any length into its memory. With a limit, long
 * sends wait for room as on other systems.
 *
 * Source: "Design issues - Sending small data segments over TCP with Winsock", Microsoft.
 */
export const MOST_AT_ONCE: number = isWindows ? 256 * 1024 : 0x7fff_ffff;

const WSAPoll = i32("buffer", "u32", "i32");

const table = {
  // SOCKET WSASocketW(int af, int type, int protocol,
  //   LPWSAPROTOCOL_INFOW lpProtocolInfo, GROUP g, DWORD dwFlags)
  WSASocketW: i32("i32", "i32", "i32", "buffer", "u32", "u32"),
  // int closesocket(SOCKET s)
  closesocket: i32("i32"),
  // int ioctlsocket(SOCKET s, long cmd, u_long *argp)
  ioctlsocket: i32("i32", "u32", "buffer"),
  // int WSAIoctl(SOCKET s, DWORD dwIoControlCode, LPVOID lpvInBuffer, DWORD cbInBuffer,
  //   LPVOID lpvOutBuffer, DWORD cbOutBuffer, LPDWORD lpcbBytesReturned,
  //   LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE)
  WSAIoctl: i32(
    "i32",
    "u32",
    "buffer",
    "u32",
    "buffer",
    "u32",
    "buffer",
    "pointer",
    "pointer",
  ),
  // int WSASendTo(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount,
  //   LPDWORD lpNumberOfBytesSent, DWORD dwFlags, const sockaddr *lpTo, int iTolen,
  //   LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE)
  WSASendTo: i32(
    "i32",
    "u64",
    "u32",
    "buffer",
    "u32",
    "u64",
    "i32",
    "pointer",
    "pointer",
  ),
  // int WSARecvFrom(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount,
  //   LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags, sockaddr *lpFrom, LPINT lpFromlen,
  //   LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE)
  WSARecvFrom: i32(
    "i32",
    "u64",
    "u32",
    "buffer",
    "buffer",
    "u64",
    "buffer",
    "pointer",
    "pointer",
  ),
  // int WSASendMsg(SOCKET Handle, LPWSAMSG lpMsg, DWORD dwFlags,
  //   LPDWORD lpNumberOfBytesSent, LPWSAOVERLAPPED lpOverlapped,
  //   LPWSAOVERLAPPED_COMPLETION_ROUTINE)
  WSASendMsg: i32("i32", "buffer", "u32", "buffer", "pointer", "pointer"),
  // int WSADuplicateSocketW(SOCKET s, DWORD dwProcessId,
  //   LPWSAPROTOCOL_INFOW lpProtocolInfo)
  WSADuplicateSocketW: i32("i32", "u32", "buffer"),
  // int WSAPoll(LPWSAPOLLFD fdArray, ULONG fds, INT timeout)
  WSAPoll,
  WSAPollParked: parked("WSAPoll", WSAPoll),
  // BOOL SetHandleInformation(HANDLE hObject, DWORD dwMask, DWORD dwFlags)
  SetHandleInformation: u32("u32", "u32", "u32"),
  // HANDLE CreateFileW(LPCWSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode,
  //   LPSECURITY_ATTRIBUTES lpSecurityAttributes, DWORD dwCreationDisposition,
  //   DWORD dwFlagsAndAttributes, HANDLE hTemplateFile)
  CreateFileW: i32("buffer", "u32", "u32", "pointer", "u32", "u32", "u64"),
  // BOOL GetFileInformationByHandle(HANDLE hFile,
  //   LPBY_HANDLE_FILE_INFORMATION lpFileInformation)
  GetFileInformationByHandle: u32("u32", "buffer"),
  // BOOL DeleteFileW(LPCWSTR lpFileName)
  DeleteFileW: u32("buffer"),
  // BOOL CloseHandle(HANDLE hObject)
  CloseHandle: u32("u32"),
  // DWORD FormatMessageW(DWORD dwFlags, LPCVOID lpSource, DWORD dwMessageId,
  //   DWORD dwLanguageId, LPWSTR lpBuffer, DWORD nSize, va_list *Arguments)
  FormatMessageW: u32(
    "u32",
    "pointer",
    "u32",
    "u32",
    "buffer",
    "u32",
    "pointer",
  ),
};

/** The functions of Windows, ready to be called. */
export type Winsock = Calls<typeof table>;

/**
 * The functions of Windows, each opened at its first call; null on other systems. One
 * that fails returns its error number, negated, as those of `libc()`.
 */
export const winsock: Winsock | null = isWindows
  ? lazyFunctions([table])
  : null;
