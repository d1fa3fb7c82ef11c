// Prints how network interfaces, their addresses and routes change. Linux reports it
// through a netlink socket (rtnetlink(7)).
//
//     deno run --allow-ffi examples/link_monitor.ts
//
// Then, in another terminal, as root:
//
//     ip link add pollux0 type veth peer name pollux1
//     ip link set pollux0 up
//     ip address add 192.0.2.1/24 dev pollux0
//     ip link delete pollux0
//
// Ctrl-C ends it.

import { isSystemError, Reactor, Socket } from "../mod.ts";
import { main, refuse, report } from "./command_line.ts";

/** <linux/netlink.h> and <linux/rtnetlink.h>. */
const NETLINK_ROUTE = 0, NLM_F_REQUEST = 1, NLM_F_DUMP = 0x300;
const RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_GETLINK = 18;
const RTM_NEWADDR = 20, RTM_DELADDR = 21;
const RTM_NEWROUTE = 24, RTM_DELROUTE = 25;

/** RTMGRP_LINK, and RTMGRP_*_IFADDR and RTMGRP_*_ROUTE of IPv4 and IPv6. */
const GROUPS = 1 | 0x10 | 0x40 | 0x100 | 0x400;

/** Sizes of struct nlmsghdr, ifinfomsg, ifaddrmsg, rtmsg and rtattr. */
const HEADER_BYTES = 16, LINK_BYTES = 16, ADDRESS_BYTES = 8, ROUTE_BYTES = 12;
const ATTRIBUTE_BYTES = 4;

/** Attributes of <linux/if_link.h>, <linux/if_addr.h> and <linux/rtnetlink.h>. */
const IFLA_IFNAME = 3, IFA_ADDRESS = 1, IFA_LOCAL = 2;
const RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY = 5;

/** <linux/if.h>: the interface is up; its cable is plugged in. */
const IFF_UP = 1, IFF_LOWER_UP = 0x10000;

/** <linux/rtnetlink.h>: a plain route, and the table of those that people set. */
const RTN_UNICAST = 1, RT_TABLE_MAIN = 254;

/** A message without its header. Numbers have the byte order of the processor. */
interface Message {
  readonly type: number;
  readonly body: DataView<ArrayBuffer>;
}

function messagesIn(bytes: Uint8Array<ArrayBuffer>): Message[] {
  const messages: Message[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = Math.max(view.getUint32(at, true), HEADER_BYTES);
    const type = view.getUint16(at + 4, true);
    const body = bytes.slice(at + HEADER_BYTES, at + length);
    messages.push({ type, body: new DataView(body.buffer) });
    at += aligned(length);
  }
  return messages;
}

/** The attributes behind the struct of a message, by their types. */
function attributesOf(
  body: DataView<ArrayBuffer>,
  structBytes: number,
): Map<number, DataView<ArrayBuffer>> {
  const attributes = new Map<number, DataView<ArrayBuffer>>();
  for (let at = structBytes; at + ATTRIBUTE_BYTES <= body.byteLength;) {
    const length = Math.max(body.getUint16(at, true), ATTRIBUTE_BYTES);
    const start = at + ATTRIBUTE_BYTES;
    const value = new DataView(body.buffer, start, length - ATTRIBUTE_BYTES);
    attributes.set(body.getUint16(at + 2, true), value);
    at += aligned(length);
  }
  return attributes;
}

/** Messages and attributes begin at multiples of four. */
function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** An address of IPv4 or IPv6 as text. */
function addressText({ buffer, byteOffset, byteLength }: DataView): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  if (bytes.length === 4) return bytes.join(".");
  const groups = bytes.toHex().match(/.{4}/g)!.join(":");
  // A URL has the short form of RFC 5952.
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

/** The names of interfaces by their numbers. */
const names = new Map<number, string>();

function nameOf(index: number): string {
  return names.get(index) ?? `interface ${index}`;
}

/** struct ifinfomsg: the number at 4, the flags at 8. */
function describeLink({ type, body }: Message): string {
  const name = attributesOf(body, LINK_BYTES).get(IFLA_IFNAME);
  const index = body.getInt32(4, true);
  if (name !== undefined) {
    names.set(index, new TextDecoder().decode(name).replace("\0", ""));
  }
  const flags = body.getUint32(8, true);
  if (type === RTM_DELLINK) return `${nameOf(index)} is removed`;
  if ((flags & IFF_UP) === 0) return `${nameOf(index)} is down`;
  const hasCarrier = (flags & IFF_LOWER_UP) !== 0;
  return `${nameOf(index)} is up${hasCarrier ? "" : ", without a carrier"}`;
}

/** struct ifaddrmsg: the length of the prefix at 1, the interface at 4. */
function describeAddress({ type, body }: Message): string {
  const attributes = attributesOf(body, ADDRESS_BYTES);
  const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  const text = address === undefined ? "an address" : addressText(address);
  const name = nameOf(body.getUint32(4, true));
  const verb = type === RTM_NEWADDR ? "has" : "no longer has";
  return `${name} ${verb} address ${text}/${body.getUint8(1)}`;
}

/** struct rtmsg: the length of the prefix at 1, the table at 4, the kind at 7. */
function describeRoute({ type, body }: Message): string | null {
  if (body.getUint8(4) !== RT_TABLE_MAIN) return null;
  if (body.getUint8(7) !== RTN_UNICAST) return null;
  const attributes = attributesOf(body, ROUTE_BYTES);
  const target = attributes.get(RTA_DST);
  const gateway = attributes.get(RTA_GATEWAY);
  const device = attributes.get(RTA_OIF);
  return [
    target === undefined
      ? "The default route"
      : `The route to ${addressText(target)}/${body.getUint8(1)}`,
    gateway === undefined ? "" : ` by ${addressText(gateway)}`,
    device === undefined ? "" : ` through ${nameOf(device.getInt32(0, true))}`,
    type === RTM_NEWROUTE ? " is added" : " is removed",
  ].join("");
}

/** A message in words; null if it is of no interest. */
function describe(message: Message): string | null {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return describeLink(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return describeAddress(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return describeRoute(message);
    default:
      return null;
  }
}

/** A request for all interfaces, whose names later messages do not have. */
function linkRequest(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + LINK_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, RTM_GETLINK, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  return bytes;
}

const buffer = new Uint8Array(64 * 1024);

/** Receives one datagram; none if the kernel had to discard messages. */
function receive(socket: { recv(buffer: BufferSource): number }): void {
  try {
    const count = socket.recv(buffer);
    for (const message of messagesIn(buffer.subarray(0, Math.max(count, 0)))) {
      const text = describe(message);
      if (text !== null) console.log(text);
    }
  } catch (error) {
    if (!isSystemError(error) || error.code !== "ENOBUFS") throw error;
    console.log("Changes were lost, because there were too many");
  }
}

await main(() => {
  if (Deno.build.os !== "linux") {
    refuse("Cannot run here: only Linux has netlink");
  }
  using reactor = new Reactor({ onError: report });
  using socket = Socket.create("netlink", "raw", NETLINK_ROUTE);
  socket.bind({ portId: 0, groups: GROUPS });
  socket.sendTo(linkRequest(), { portId: 0 });
  reactor.addReader(socket, () => receive(socket));
  console.log("Waiting for changes");
  reactor.run();
});
