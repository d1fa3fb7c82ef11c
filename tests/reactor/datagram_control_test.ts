/**
 * Options of the socket and control messages of a `Datagram`: packet information,
 * marks of congestion, multicast.
 */

import { assertEquals } from "@std/assert";
import { type InternetAddress, Socket } from "../../backends/ffi/mod.ts";
import { bytesOf, NEEDS_ALL_LIBRARIES, ONLY_LINUX } from "../util.ts";
import { onAnyBackend, patternOf, textOf } from "./stage.ts";

const LOCAL = { hostname: "127.0.0.1" };

/** `<linux/in.h>` */
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_RECVTOS = 13;
const IP_MULTICAST_IF = 32;

onAnyBackend(
  "Datagram: other control messages do not hide the size of joined messages",
  (stage) => {
    const receiver = stage.reactor.datagram({ ...LOCAL, offload: true });
    const { socket } = receiver;
    socket.setOption("receiveTimestamp", true);
    socket.setOption("receivePacketInfo", true);
    socket.setOption("receiveTimeToLive", true);
    socket.setRawOption(IPPROTO_IP, IP_RECVTOS, 1);
    const lengths: number[] = [];
    receiver.onMessage = (data) => lengths.push(data.length);
    const sender = stage.reactor.datagram({ ...LOCAL, offload: true });
    sender.sendSegments(patternOf(3500), 1000, receiver.address);
    sender.send(patternOf(70), receiver.address);
    stage.until(() => lengths.length === 5, "all messages");
    assertEquals(lengths, [1000, 1000, 1000, 500, 70]);
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Datagram.socket: an option that a callback sets is for later replies alone, as a mark of congestion (ECN)",
  (stage) => {
    const target = stage.use(Socket.create("IPv4", "datagram"));
    target.bind({ ...LOCAL, port: 0 });
    target.setBlocking(true);
    target.setRawOption(IPPROTO_IP, IP_RECVTOS, 1);
    const server = stage.reactor.datagram({ ...LOCAL, offload: true });
    let count = 0;
    server.onMessage = (data) => {
      server.socket.setRawOption(IPPROTO_IP, IP_TOS, count++ % 4);
      server.send(data, target.localAddress);
    };
    const sender = stage.reactor.datagram({ ...LOCAL, offload: true });
    sender.sendSegments(bytesOf("01234567"), 1, server.address);
    stage.until(() => count === 8, "all messages");
    const marks = Array.from({ length: 8 }, () => {
      const buffer = new Uint8Array(new ArrayBuffer(8));
      const message = target.receiveMessage(buffer)!;
      const [tos] = message.control.others;
      return [textOf(buffer.subarray(0, message.bytes)), tos!.data[0]];
    });
    assertEquals(
      marks,
      [..."01234567"].map((text) => [text, Number(text) % 4]),
    );
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Datagram: packet information names the destination of each of split messages",
  (stage) => {
    const target = stage.use(Socket.create("IPv4", "datagram"));
    target.bind({ hostname: "0.0.0.0", port: 0 });
    target.setOption("receivePacketInfo", true);
    target.setBlocking(true);
    const { port } = target.localAddress as InternetAddress;
    const sender = stage.reactor.datagram({ ...LOCAL, offload: true });
    const hostnames = ["127.0.0.1", "127.0.0.2"];
    for (const hostname of hostnames) {
      sender.sendSegments(patternOf(30), 10, { hostname, port });
    }
    const buffer = new Uint8Array(new ArrayBuffer(64));
    const seen = Array.from({ length: 6 }, () => {
      const message = target.receiveMessage(buffer)!;
      assertEquals(message.address, sender.address);
      return [message.bytes, message.control.packetInfo?.address];
    });
    assertEquals(
      seen,
      hostnames.flatMap((hostname) => Array(3).fill([10, hostname])),
    );
  },
  {
    linux: {},
    windows: NEEDS_ALL_LIBRARIES,
  }[Deno.build.os as string] ??
    { ignore: true, reason: "127.0.0.2 is no address of this system" },
);

onAnyBackend(
  "Datagram.sendSegments: sends to a multicast group, too",
  (stage) => {
    const options = { hostname: "0.0.0.0", offload: true };
    const receiver = stage.reactor.datagram(options);
    const group = "239.255.77.78";
    receiver.socket.joinGroup(group, LOCAL.hostname);
    const texts: string[] = [];
    receiver.onMessage = (data) => texts.push(textOf(data));
    const sender = stage.reactor.datagram({ ...LOCAL, offload: true });
    const address = Uint8Array.of(127, 0, 0, 1);
    sender.socket.setRawOption(IPPROTO_IP, IP_MULTICAST_IF, address);
    const to = { hostname: group, port: receiver.address.port };
    sender.sendSegments(bytesOf("onetwosix"), 3, to);
    stage.until(() => texts.length === 3, "all messages");
    assertEquals(texts, ["one", "two", "six"]);
  },
  ONLY_LINUX,
);
