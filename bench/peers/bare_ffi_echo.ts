/**
 * The minimum in TypeScript: the same server as `c_epoll_echo.c`, call by call, with
 * nothing between the loop and the C library. The rest is the cost of Pollux.
 *
 *     deno run --allow-ffi bench/peers/bare_ffi_echo.ts 8001
 *
 * @module
 */

import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EPOLLIN,
  EPOLLOUT,
} from "../../backends/epoll.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { epollEventLayout } from "../../backends/ffi/structs/epoll_event.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { pageAligned } from "../../backends/ffi/memory.ts";
import { Socket } from "../../backends/ffi/socket.ts";

const BUFFER_BYTES = 256 * 1024;
const MAX_EVENTS = 1024;

const { epoll_create1, epoll_ctl, epoll_wait, recv, send, accept4, close } =
  libc();
const { SOCK_NONBLOCK, SOCK_CLOEXEC, MSG_NOSIGNAL } = system().constants;
const { EAGAIN, EINTR } = system().errno;
const layout = epollEventLayout(system())!;

/** The size of `struct epoll_event` in 32-bit words, of which both layouts consist. */
const STRIDE = layout.size / 4;
const FD_WORD = layout.data / 4;

const buffer = pageAligned(BUFFER_BYTES);
const events = new ArrayBuffer(layout.size * MAX_EVENTS);
const eventWords = new Int32Array(events);
const change = new ArrayBuffer(layout.size);
const changeWords = new Int32Array(change);

/** The bytes that a connection has not sent yet, by descriptor. */
const rests: (Uint8Array<ArrayBuffer> | undefined)[] = [];

const epoll = epoll_create1!(0);

function watch(operation: number, fd: number, interest: number): void {
  changeWords[0] = interest;
  changeWords[FD_WORD] = fd;
  epoll_ctl!(epoll, operation, fd, change);
}

function listenOn(port: number): number {
  const socket = Socket.create("IPv4", "stream");
  socket.setOption("reuseAddress", true);
  socket.setOption("noDelay", true);
  socket.bind({ hostname: "127.0.0.1", port });
  socket.listen();
  return socket.detach();
}

function acceptAll(listener: number): void {
  const flags = SOCK_NONBLOCK! | SOCK_CLOEXEC!;
  for (;;) {
    const fd = accept4!(listener, null, null, flags);
    if (fd < 0) return;
    rests[fd] = undefined;
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

function hangUp(fd: number): void {
  rests[fd] = undefined;
  close(fd);
}

function keep(fd: number, rest: Uint8Array<ArrayBuffer>): void {
  if (rests[fd] === undefined) watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
  rests[fd] = rest;
}

function failed(fd: number, number: number): void {
  if (number !== EAGAIN && number !== EINTR) hangUp(fd);
}

function echo(fd: number): void {
  const received = recv(fd, buffer, BUFFER_BYTES, 0);
  if (received <= 0) {
    if (received === 0) hangUp(fd);
    else failed(fd, -received);
    return;
  }
  const sent = send(fd, buffer, received, MSG_NOSIGNAL!);
  if (sent === received) return;
  if (sent < 0 && -sent !== EAGAIN) hangUp(fd);
  else keep(fd, buffer.slice(Math.max(sent, 0), received));
}

function flush(fd: number, rest: Uint8Array<ArrayBuffer>): void {
  const sent = send(fd, rest, rest.length, MSG_NOSIGNAL!);
  if (sent < 0) return failed(fd, -sent);
  if (sent < rest.length) return keep(fd, rest.subarray(sent));
  rests[fd] = undefined;
  watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

function serve(listener: number): never {
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
  for (;;) {
    const count = epoll_wait!(epoll, events, MAX_EVENTS, -1);
    for (let i = 0; i < count; i++) {
      const fd = eventWords[i * STRIDE + FD_WORD]!;
      if (fd === listener) {
        acceptAll(listener);
        continue;
      }
      const rest = rests[fd];
      if (rest === undefined) echo(fd);
      else flush(fd, rest);
    }
  }
}

serve(listenOn(Number(Deno.args[0] ?? 8001)));
