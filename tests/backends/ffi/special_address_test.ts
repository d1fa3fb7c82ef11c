/**
 * Sockets of netlink, packets, vsock, raw IP and ICMP, with their addresses.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { system } from "../../../backends/ffi/current_system.ts";
import {
  type AnyAddress,
  formatAddress,
  isSystemError,
  Socket,
} from "../../../backends/ffi/mod.ts";
import {
  decodeAddress,
  domainNumber,
  domainOfFamily,
  encodeAddress,
  interfaceNumber,
} from "../../../backends/ffi/socket_address.ts";
import { darwin } from "../../../backends/ffi/systems/darwin.ts";
import { freebsd } from "../../../backends/ffi/systems/freebsd.ts";
import { linux } from "../../../backends/ffi/systems/linux.ts";
import { EVENT_READ, PollSelector } from "../../../mod.ts";
import { ONLY_LINUX, PATIENCE, test } from "../../util.ts";
import { printedByC, reason } from "./c_compiler.ts";

const x86 = linux("x86_64");

const addresses: [AnyAddress, number, string][] = [
  [{ portId: 7, groups: 0x8000_0001 }, 12, "netlink 7"],
  [{ cid: 0xffff_ffff, port: 8001 }, 16, "vsock 4294967295:8001"],
  [
    {
      interface: 3,
      protocol: 0x0800,
      hardwareType: 1,
      packetType: 4,
      hardwareAddress: Uint8Array.of(1, 2, 3, 4, 5, 6),
    },
    20,
    "interface 3",
  ],
];

for (const [address, length, text] of addresses) {
  Deno.test(`${text}: the address is restored from its bytes, and formatted`, () => {
    const target = new Uint8Array(128);
    assertEquals(encodeAddress(target, address, x86), length);
    assertEquals(decodeAddress(target, length, x86), address);
    assertEquals(formatAddress(address), text);
  });
}

Deno.test("a hardware address is a Uint8Array, whatever else has a length", () => {
  const target = new Uint8Array(128);
  for (const value of [Uint16Array.of(300), [1], { length: 3 }, "abcdef", 5]) {
    const address = { interface: 1, hardwareAddress: value } as AnyAddress;
    assertThrows(
      () => encodeAddress(target, address, x86),
      TypeError,
      "must be a Uint8Array",
    );
  }
});

Deno.test("macOS: vsock has its own length and family, in the place of Linux's", () => {
  const target = new Uint8Array(128);
  const system = darwin("aarch64");
  assertEquals(encodeAddress(target, { cid: 2, port: 9 }, system), 12);
  assertEquals([target[0], target[1]], [12, 40]);
  assertEquals(decodeAddress(target, 12, system), { cid: 2, port: 9 });
});

Deno.test("numbers that do not fit an address are refused by their names", () => {
  const wrong: [AnyAddress, string][] = [
    [{ portId: -1 }, "portId"],
    [{ portId: 0, groups: 2 ** 32 }, "groups"],
    [{ cid: 1.5, port: 0 }, "cid"],
    [{ interface: 0, protocol: 0x10000 }, "protocol"],
    [{ interface: 0, hardwareAddress: new Uint8Array(9) }, "9 bytes"],
  ];
  for (const [address, name] of wrong) {
    const target = new Uint8Array(128);
    assertThrows(() => encodeAddress(target, address, x86), RangeError, name);
  }
});

Deno.test("domains: an unknown family is other, a missing one NotSupported, an unknown name a TypeError", () => {
  assertEquals(domainOfFamily(38, x86), "other");
  assertEquals(domainOfFamily(16, x86), "netlink");
  assertEquals(domainOfFamily(16, freebsd("x86_64")), "other");
  assertThrows(
    () => domainNumber("netlink", freebsd("x86_64")),
    Deno.errors.NotSupported,
    "FreeBSD",
  );
  assertThrows(() => domainNumber("other", x86), TypeError, "other");
  const unknown = new Uint8Array(128);
  unknown[0] = 38;
  assertThrows(
    () => decodeAddress(unknown, 16, x86),
    Deno.errors.NotSupported,
    "38",
  );
});

Deno.test({
  name: `Linux: the addresses are laid out as the C compiler says${reason}`,
  ignore: reason !== "",
  fn: async () => {
    const expressions = {
      AF_NETLINK: ["AF_NETLINK", 16],
      AF_PACKET: ["AF_PACKET", 17],
      AF_VSOCK: ["AF_VSOCK", 40],
      "nl.size": ["sizeof(struct sockaddr_nl)", 12],
      "nl.pid": ["offsetof(struct sockaddr_nl, nl_pid)", 4],
      "nl.groups": ["offsetof(struct sockaddr_nl, nl_groups)", 8],
      "ll.size": ["sizeof(struct sockaddr_ll)", 20],
      "ll.protocol": ["offsetof(struct sockaddr_ll, sll_protocol)", 2],
      "ll.ifindex": ["offsetof(struct sockaddr_ll, sll_ifindex)", 4],
      "ll.hatype": ["offsetof(struct sockaddr_ll, sll_hatype)", 8],
      "ll.pkttype": ["offsetof(struct sockaddr_ll, sll_pkttype)", 10],
      "ll.halen": ["offsetof(struct sockaddr_ll, sll_halen)", 11],
      "ll.addr": ["offsetof(struct sockaddr_ll, sll_addr)", 12],
      "vm.size": ["sizeof(struct sockaddr_vm)", 16],
      "vm.port": ["offsetof(struct sockaddr_vm, svm_port)", 4],
      "vm.cid": ["offsetof(struct sockaddr_vm, svm_cid)", 8],
    } as const;
    assertEquals(
      await printedByC(
        [
          "sys/socket.h",
          "linux/netlink.h",
          "linux/if_packet.h",
          "linux/vm_sockets.h",
        ],
        Object.entries(expressions).map(([name, [text]]) => [name, text]),
      ),
      Object.entries(expressions).map(([name, [, value]]) => `${name} ${value}`)
        .toSorted(),
    );
  },
});

function waitFor(socket: { readonly fd: number }): void {
  using selector = new PollSelector();
  selector.register(socket, EVENT_READ, undefined);
  assertEquals(selector.select(PATIENCE).length, 1);
}

/** `<linux/rtnetlink.h>` */
const RTM_NEWLINK = 16, RTM_GETLINK = 18, NLMSG_DONE = 3, IFLA_IFNAME = 3;

/** The names of the interfaces in a piece of a dump; whether it is the last. */
function linksIn(bytes: Uint8Array<ArrayBuffer>, names: string[]): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (type === NLMSG_DONE) return true;
    assertEquals(type, RTM_NEWLINK);
    // struct nlmsghdr, struct ifinfomsg, then attributes
    for (let part = at + 32; part < at + length;) {
      const size = view.getUint16(part, true);
      if (view.getUint16(part + 2, true) === IFLA_IFNAME) {
        const name = bytes.subarray(part + 4, part + size - 1);
        names.push(new TextDecoder().decode(name));
      }
      part += Math.ceil(size / 4) * 4;
    }
    at += Math.ceil(length / 4) * 4;
  }
  return false;
}

test("Socket.create: a netlink socket dumps the interfaces", () => {
  const NETLINK_ROUTE = 0, NLM_F_REQUEST = 1, NLM_F_DUMP = 0x300;
  using socket = Socket.create("netlink", "raw", NETLINK_ROUTE);
  socket.bind({ portId: 0 });
  assert(socket.localAddress.portId > 0);
  assertEquals([socket.domain, socket.localAddress.groups], ["netlink", 0]);
  const request = new DataView(new ArrayBuffer(32));
  request.setUint32(0, 32, true);
  request.setUint16(4, RTM_GETLINK, true);
  request.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  socket.sendTo(new Uint8Array(request.buffer), { portId: 0 });
  const buffer = new Uint8Array(64 * 1024);
  const names: string[] = [];
  for (let done = false; !done;) {
    waitFor(socket);
    const { bytes, address } = socket.recvFrom(buffer)!;
    assertEquals(address, { portId: 0, groups: 0 });
    done = linksIn(buffer.subarray(0, bytes), names);
  }
  assert(names.includes("lo"), names.join());
}, ONLY_LINUX);

test(
  "Socket.adopt: an adopted netlink socket has its domain and addresses",
  () => {
    const socket = Socket.create("netlink", "datagram");
    using adopted = Socket.adopt(socket.detach());
    assertEquals(adopted.domain, "netlink");
    assertEquals(adopted.recvFrom(new Uint8Array(9)), null);
    assertThrows(() => adopted.bind({ path: "" }), TypeError, "netlink");
  },
  ONLY_LINUX,
);

/** The reason for which this process may not have a socket, or null. */
function refusal(make: () => { close(): void }): string | null {
  try {
    make().close();
    return null;
  } catch (error) {
    if (isSystemError(error)) return error.code;
    throw error;
  }
}

/** 16-bit words, added with their carries, and inverted: RFC 1071. */
function checksum(bytes: Uint8Array<ArrayBuffer>): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! << 8 | (bytes[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

const ICMP = 1, ICMPV6 = 58;
const rawRefusal = system().os === "linux"
  ? refusal(() => Socket.create("IPv4", "raw", ICMP))
  : "not Linux";

test(
  `Socket.create: a raw ICMP socket gets the answer to its ping${
    rawRefusal ? ` (ignored: ${rawRefusal})` : ""
  }`,
  () => {
    using socket = Socket.create("IPv4", "raw", ICMP);
    socket.setOption("receiveTimeToLive", true);
    const request = Uint8Array.of(8, 0, 0, 0, 0x12, 0x34, 0, 1, 1, 2, 3, 4);
    new DataView(request.buffer).setUint16(2, checksum(request));
    socket.sendTo(request, { hostname: "127.0.0.1", port: 0 });
    const buffer = new Uint8Array(100);
    for (;;) {
      waitFor(socket);
      const { bytes, control } = socket.receiveMessage(buffer)!;
      const message = buffer.subarray((buffer[0]! & 15) * 4, bytes);
      // The loopback delivers the request, too.
      if (message[0] !== 0 || message[4] !== 0x12) continue;
      assertEquals(message.slice(8), Uint8Array.of(1, 2, 3, 4));
      assertEquals(control.timeToLive, 64);
      return;
    }
  },
  { ignore: rawRefusal !== null },
);

test(
  `Socket.create: a raw ICMPv6 socket gets the answer to its ping${
    rawRefusal ? ` (ignored: ${rawRefusal})` : ""
  }`,
  () => {
    using socket = Socket.create("IPv6", "raw", ICMPV6);
    const request = Uint8Array.of(128, 0, 0, 0, 0x12, 0x34, 0, 1);
    socket.sendTo(request, { hostname: "::1", port: 0 });
    const buffer = new Uint8Array(100);
    do {
      waitFor(socket);
      socket.recv(buffer);
    } while (buffer[0] !== 129);
    assertEquals(buffer[4], 0x12);
  },
  { ignore: rawRefusal !== null },
);

const pingRefusal = system().os === "linux"
  ? refusal(() => Socket.create("IPv4", "datagram", ICMP))
  : "not Linux";

test(
  `Socket.create: an ICMP datagram socket gets the answer to its ping${
    pingRefusal ? ` (ignored: ${pingRefusal})` : ""
  }`,
  () => {
    using socket = Socket.create("IPv4", "datagram", ICMP);
    const request = Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 1, 9, 9);
    socket.sendTo(request, { hostname: "127.0.0.1", port: 0 });
    waitFor(socket);
    const buffer = new Uint8Array(100);
    assertEquals(socket.recv(buffer), request.length);
    assertEquals(buffer[0], 0);
  },
  { ignore: pingRefusal !== null },
);

const packetRefusal = system().os === "linux"
  ? refusal(() => Socket.create("packet", "datagram"))
  : "not Linux";

test(
  `Socket.create: a packet socket receives the frames of an interface${
    packetRefusal ? ` (ignored: ${packetRefusal})` : ""
  }`,
  () => {
    const ETH_P_IP = 0x0800;
    using socket = Socket.create("packet", "datagram");
    const lo = interfaceNumber("lo")!;
    socket.bind({ interface: lo, protocol: ETH_P_IP });
    assertEquals(socket.localAddress.protocol, ETH_P_IP);
    using udp = Socket.create("IPv4", "datagram");
    udp.bind({ hostname: "127.0.0.1", port: 0 });
    const data = new TextEncoder().encode("a frame of the loopback");
    udp.sendTo(data, udp.localAddress);
    const buffer = new Uint8Array(2000);
    for (;;) {
      waitFor(socket);
      const { bytes, address } = socket.recvFrom(buffer)!;
      // struct iphdr, struct udphdr
      const text = new TextDecoder().decode(buffer.subarray(28, bytes));
      if (text !== "a frame of the loopback") continue;
      assertEquals([address!.interface, address!.protocol], [lo, ETH_P_IP]);
      return;
    }
  },
  { ignore: packetRefusal !== null },
);

const vsockRefusal = system().os === "linux"
  ? refusal(() => Socket.create("vsock"))
  : "not Linux";

test(
  `Socket.create: a vsock socket is bound to a context and a port${
    vsockRefusal ? ` (ignored: ${vsockRefusal})` : ""
  }`,
  () => {
    using socket = Socket.create("vsock");
    socket.bind({ cid: 0xffff_ffff, port: 0xffff_ffff });
    const { cid, port } = socket.localAddress;
    assert(cid === 0xffff_ffff && port > 0 && port < 0xffff_ffff);
    assertThrows(
      () => socket.bind({ hostname: "127.0.0.1", port: 1 } as never),
      TypeError,
      "vsock",
    );
  },
  { ignore: vsockRefusal !== null },
);
