// Prints which network interfaces appear, change and disappear. Linux reports it through
// a netlink socket (rtnetlink(7)), which the program opens by calls of its own.
//
//     deno run --allow-ffi examples/link_monitor.ts
//
// Then, in another terminal, as root: ip link add pollux0 type veth peer name pollux1
//
// Ctrl-C ends it.

import { bindCalls } from "../backends/ffi/calls.ts";
import { close, read } from "../backends/ffi/mod.ts";
import { Reactor } from "../mod.ts";
import { main, refuse, report } from "./command_line.ts";

/** <sys/socket.h> of Linux. */
const AF_NETLINK = 16, SOCK_RAW = 3, SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;

/** <linux/rtnetlink.h>. */
const NETLINK_ROUTE = 0, RTMGRP_LINK = 1;
const RTM_NEWLINK = 16, RTM_DELLINK = 17, IFLA_IFNAME = 3;

/** The sizes of struct sockaddr_nl, nlmsghdr, ifinfomsg and rtattr. */
const ADDRESS_BYTES = 12, HEADER_BYTES = 16, INFO_BYTES = 16;
const ATTRIBUTE_BYTES = 4;

/** <linux/if.h>: the interface is up; its cable is plugged in. */
const IFF_UP = 1, IFF_LOWER_UP = 0x10000;

const c = bindCalls({
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen)
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
});

/** Opens a socket that receives changes of interfaces. */
function open(): number {
  const type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = c.socket(AF_NETLINK, type, NETLINK_ROUTE);
  const address = new DataView(new ArrayBuffer(ADDRESS_BYTES));
  address.setUint16(0, AF_NETLINK, true);
  address.setUint32(8, RTMGRP_LINK, true);
  c.bind(fd, address.buffer, ADDRESS_BYTES);
  return fd;
}

/** Numbers of netlink have the byte order of the processor, here little-endian. */
function printMessages(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (type === RTM_NEWLINK || type === RTM_DELLINK) {
      const flags = view.getUint32(at + HEADER_BYTES + 8, true);
      const name = nameIn(bytes.subarray(at, at + length));
      console.log(`${name} is ${stateOf(type, flags)}`);
    }
    at += aligned(Math.max(length, HEADER_BYTES));
  }
}

function stateOf(type: number, flags: number): string {
  if (type === RTM_DELLINK) return "removed";
  if ((flags & IFF_UP) === 0) return "down";
  return (flags & IFF_LOWER_UP) === 0 ? "up, without a carrier" : "up";
}

/** The name of the interface, which is one of the attributes of a message. */
function nameIn(message: Uint8Array): string {
  const view = new DataView(
    message.buffer,
    message.byteOffset,
    message.length,
  );
  for (let at = HEADER_BYTES + INFO_BYTES; at < message.length;) {
    const length = view.getUint16(at, true);
    if (view.getUint16(at + 2, true) === IFLA_IFNAME) {
      const text = message.subarray(at + ATTRIBUTE_BYTES, at + length - 1);
      return new TextDecoder().decode(text);
    }
    at += aligned(Math.max(length, ATTRIBUTE_BYTES));
  }
  return "an interface without a name";
}

/** Messages and attributes begin at multiples of four. */
function aligned(length: number): number {
  return (length + 3) & ~3;
}

await main(() => {
  if (Deno.build.os !== "linux") {
    refuse("Cannot run here: only Linux has netlink");
  }
  using reactor = new Reactor({ onError: report });
  const fd = open();
  const buffer = new Uint8Array(32 * 1024);
  reactor.addReader(fd, () => {
    const count = read(fd, buffer);
    if (count > 0) printMessages(buffer.subarray(0, count));
  });
  console.log("Waiting for changes");
  reactor.run();
  close(fd);
});
