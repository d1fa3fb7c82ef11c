/**
 * The callback server on a selector: `wait`, then `key.data(fd)`, without `Socket`. The
 * difference to `bare_ffi_echo.ts` is the bookkeeping of a selector.
 *
 *     deno run --allow-ffi bench/peers/selector_echo.ts 8001 epoll
 *
 * @module
 */

import { createSelector, type SelectorName } from "../../backends/selectors.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { pageAligned } from "../../backends/ffi/memory.ts";
import { Socket } from "../../backends/ffi/socket.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type LoopSelector,
} from "../../backends/selector.ts";

type Callback = (fd: number) => void;

const BUFFER_BYTES = 256 * 1024;

const { recv, send, close } = libc();
const { MSG_NOSIGNAL } = system().constants;
const { EAGAIN } = system().errno;
const buffer = pageAligned(BUFFER_BYTES);

function listenOn(port: number): Socket {
  const socket = Socket.create();
  socket.setOption("reuseAddress", true);
  socket.setOption("noDelay", true);
  socket.bind({ hostname: "127.0.0.1", port });
  socket.listen();
  return socket;
}

function serve(selector: LoopSelector<Callback>, listener: Socket): never {
  const accept = (): void => {
    for (
      let peer = listener.accept();
      peer !== null;
      peer = listener.accept()
    ) {
      selector.register(peer.detach(), EVENT_READ, echo);
    }
  };

  const hangUp = (fd: number): void => {
    selector.unregister(fd);
    close(fd);
  };

  const echo = (fd: number): void => {
    const received = recv(fd, buffer, BUFFER_BYTES, 0);
    if (received <= 0) {
      if (-received !== EAGAIN) hangUp(fd);
      return;
    }
    const sent = send(fd, buffer, received, MSG_NOSIGNAL!);
    if (sent === received) return;
    if (sent < 0 && -sent !== EAGAIN) return hangUp(fd);
    flushLater(fd, buffer.slice(Math.max(sent, 0), received));
  };

  const flushLater = (fd: number, rest: Uint8Array<ArrayBuffer>): void => {
    selector.modify(fd, EVENT_WRITE, () => flush(fd, rest));
  };

  const flush = (fd: number, rest: Uint8Array<ArrayBuffer>): void => {
    const sent = send(fd, rest, rest.length, MSG_NOSIGNAL!);
    if (sent === rest.length) selector.modify(fd, EVENT_READ, echo);
    else if (sent >= 0) flushLater(fd, rest.subarray(sent));
    else if (-sent !== EAGAIN) hangUp(fd);
  };

  selector.register(listener, EVENT_READ, accept);
  for (;;) {
    const count = selector.wait(Infinity);
    for (let i = 0; i < count; i++) {
      const key = selector.readyKey(i);
      if (key !== undefined) key.data(key.fd);
    }
  }
}

const [port = "8001", name = "epoll"] = Deno.args;
serve(createSelector(name as SelectorName), listenOn(Number(port)));
