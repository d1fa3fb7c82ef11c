/**
 * `Reactor.open` on a TUN device, whose chunks are packets. It needs the right to make
 * network interfaces.
 */

import { assertEquals } from "@std/assert";
import { ioctl } from "../../backends/ffi/calls.ts";
import { close, openFile, Socket } from "../../backends/ffi/mod.ts";
import { bytesOf } from "../util.ts";
import { onEachBackend, textOf } from "./stage.ts";

/** `<linux/if_tun.h>`, `<linux/sockios.h>`, `<linux/if.h>`. */
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const IFF_UP = 0x1;
const AF_INET = 2;

/** `struct ifreq`: a name of 16 bytes, and a union. */
const IFREQ_BYTES = 40;
const UNION = 16;

/** Tests of several processes do not meet. */
const NAME = `pollux${Deno.pid % 100_000}`;
const NETWORK = [10, 128 + (Deno.pid >> 8 & 127), Deno.pid & 255] as const;

function ifreq(fill: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  const request = new Uint8Array(new ArrayBuffer(IFREQ_BYTES));
  request.set(bytesOf(NAME));
  fill(new DataView(request.buffer));
  return request;
}

/** An ifreq with an IPv4 address in it: a `struct sockaddr_in`. */
function withAddress(address: readonly number[]): Uint8Array<ArrayBuffer> {
  const request = ifreq((view) => view.setUint16(UNION, AF_INET, true));
  request.set(address, UNION + 4);
  return request;
}

function createDevice(): number {
  const fd = openFile("/dev/net/tun", "r+");
  try {
    const flags = IFF_TUN | IFF_NO_PI;
    ioctl(fd, TUNSETIFF, ifreq((view) => view.setUint16(UNION, flags, true)));
    using socket = Socket.create("IPv4", "datagram");
    ioctl(socket, SIOCSIFADDR, withAddress([...NETWORK, 1]));
    ioctl(socket, SIOCSIFNETMASK, withAddress([255, 255, 255, 0]));
    const up = ifreq((view) => view.setUint16(UNION, IFF_UP, true));
    ioctl(socket, SIOCSIFFLAGS, up);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Returns the reason why there can be no device here; undefined if there can. */
function reasonAgainst(): string | undefined {
  try {
    close(createDevice());
  } catch (error) {
    return (error as Error).message;
  }
}

const reason = Deno.build.os === "linux" ? reasonAgainst() : "no Linux";

/** Swaps the source and the destination, which leaves all checksums valid. */
function answerTo(packet: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const answer = packet.slice();
  answer.set(packet.subarray(16, 20), 12);
  answer.set(packet.subarray(12, 16), 16);
  answer.set(packet.subarray(22, 24), 20);
  answer.set(packet.subarray(20, 22), 22);
  return answer;
}

const UDP = 17;

onEachBackend(
  `Reactor.open: a TUN device is read and written packet by packet${
    reason === undefined ? "" : ` (ignored: ${reason})`
  }`,
  (stage) => {
    const device = stage.reactor.open(createDevice());
    device.onData = (packet) => {
      // IPv6 announces itself on each new interface.
      const isUdp = packet[0]! >> 4 === 4 && packet[9] === UDP;
      if (isUdp) device.write(answerTo(packet));
    };
    using socket = Socket.create("IPv4", "datagram");
    socket.bind({ hostname: [...NETWORK, 1].join("."), port: 0 });
    const peer = { hostname: [...NETWORK, 2].join("."), port: 4000 };
    socket.sendTo(bytesOf("hello"), peer);
    const buffer = new Uint8Array(64);
    stage.until(() => {
      const received = socket.recvFrom(buffer);
      if (received === null) return false;
      assertEquals(received.address, peer);
      assertEquals(textOf(buffer.subarray(0, received.bytes)), "hello");
      return true;
    }, "the answer");
    device.close();
  },
  { ignore: reason !== undefined },
);
