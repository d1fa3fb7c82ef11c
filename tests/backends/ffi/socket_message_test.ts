/**
 * Messages with descriptors and control messages, and the credentials of peers.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { system } from "../../../backends/ffi/current_system.ts";
import { isOpen } from "../../../backends/ffi/descriptor.ts";
import { libc } from "../../../backends/ffi/libc.ts";
import {
  close,
  ffiPermissionFlag,
  type InternetAddress,
  pipe,
  read,
  type SendMessageOptions,
  Socket,
  socketPair,
  WOULD_BLOCK,
  write,
} from "../../../backends/ffi/mod.ts";
import {
  cmsghdrLayout,
  controlSpace,
  decodeControl,
  encodeControl,
} from "../../../backends/ffi/structs/control.ts";
import { EVENT_READ, PollSelector } from "../../../mod.ts";
import { isCloseOnExec } from "../../descriptors.ts";
import {
  bytesOf,
  denoProgram,
  emulated,
  eventually,
  ONLY_LINUX,
  PATIENCE,
  posixTest,
  runDeno,
  test,
} from "../../util.ts";
import { printedByC, reason } from "./c_compiler.ts";

function waitFor(socket: Socket): void {
  using selector = new PollSelector();
  selector.register(socket, EVENT_READ, undefined);
  assertEquals(selector.select(PATIENCE).length, 1);
}

/** The options of a test that passes descriptors. */
const NEEDS_PASSING = { reason: "Windows passes no descriptors" } as const;

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) close(fd);
}

for (const type of ["stream", "datagram", "seqpacket"] as const) {
  posixTest(
    `sendMessage, receiveMessage: descriptors pass over a ${type} socket`,
    () => {
      const [left, right] = socketPair(type);
      const [reader, writer] = pipe();
      const sent = left.sendMessage(bytesOf("fd"), {
        descriptors: [{ fd: writer }, reader],
      });
      assertEquals(sent, 2);
      const buffer = new Uint8Array(10);
      const message = right.receiveMessage(buffer, { descriptors: 2 })!;
      assertEquals([message.bytes, message.descriptors.length], [2, 2]);
      assert(message.descriptors.every(isCloseOnExec));
      assertEquals([message.truncated, message.controlTruncated], [
        false,
        false,
      ]);
      write(message.descriptors[0]!, bytesOf("x"));
      assertEquals(read(reader, buffer), 1);
      closeAll([reader, writer, ...message.descriptors, left.fd, right.fd]);
    },
    type === "seqpacket" ? ONLY_LINUX : NEEDS_PASSING,
  );
}

posixTest(
  "receiveMessage: surplus descriptors are closed, and reported",
  () => {
    const [left, right] = socketPair();
    const [reader, writer] = pipe();
    for (const [passed, accepted] of [[2, 1], [3, 0], [5, 2]] as const) {
      const descriptors = Array(passed).fill(reader);
      left.sendMessage(new Uint8Array(1), { descriptors });
      const message = right.receiveMessage(new Uint8Array(1), {
        descriptors: accepted,
      })!;
      assertEquals(message.descriptors.length, accepted);
      assert(message.controlTruncated);
      closeAll(message.descriptors);
    }
    left.close();
    right.close();
    closeAll([reader, writer]);
  },
  NEEDS_PASSING,
);

posixTest(
  "receiveMessage: without room for control messages their loss is reported",
  () => {
    const [left, right] = socketPair();
    const [reader, writer] = pipe();
    left.sendMessage(new Uint8Array(1), { descriptors: [reader] });
    const message = right.receiveMessage(new Uint8Array(1), { control: 0 })!;
    assertEquals([message.descriptors, message.controlTruncated], [[], true]);
    left.close();
    right.close();
    closeAll([reader, writer]);
  },
  NEEDS_PASSING,
);

posixTest(
  "receiveMessage: control messages that are cut off lose neither bytes nor descriptors",
  () => {
    const [left, right] = socketPair("datagram");
    const [reader, writer] = pipe();
    right.setOption("receiveTimestamp", true);
    // The kernel writes as much of a control message as there is room for.
    for (let control = 0; control < 64; control += 4) {
      for (const descriptors of [0, 1]) {
        left.sendMessage(bytesOf("x"), { descriptors: [reader] });
        const options = { control, descriptors };
        const message = right.receiveMessage(new Uint8Array(9), options)!;
        const { timestamp = Date.now() } = message.control;
        assert(Math.abs(timestamp - Date.now()) < PATIENCE);
        assertEquals(message.bytes, 1);
        closeAll(message.descriptors);
      }
    }
    left.close();
    right.close();
    closeAll([reader, writer]);
  },
  emulated
    ? { ignore: true, reason: "QEMU does not know SO_TIMESTAMPNS" }
    : ONLY_LINUX,
);

test("receiveMessage: a datagram that does not fit is reported as truncated", () => {
  const [left, right] = socketPair("datagram");
  left.sendMessage(bytesOf("four"));
  left.sendMessage(bytesOf("two"));
  const buffer = new Uint8Array(3);
  assertEquals(right.receiveMessage(buffer)?.truncated, true);
  const { bytes, truncated } = right.receiveMessage(buffer)!;
  assertEquals([bytes, truncated], [3, false]);
  assertEquals(right.receiveMessage(buffer), null);
  left.close();
  right.close();
});

posixTest(
  "receiveMessage: 0 bytes is end of file, and a passed socket works",
  () => {
    const [left, right] = socketPair();
    const [one, other] = socketPair();
    left.sendMessage(new Uint8Array(1), { descriptors: [other] });
    const { descriptors } = right.receiveMessage(new Uint8Array(1), {
      descriptors: 1,
    })!;
    const adopted = Socket.adopt(descriptors[0]!);
    one.send(bytesOf("hello"));
    assertEquals(adopted.recv(new Uint8Array(9)), 5);
    left.close();
    assertEquals(right.receiveMessage(new Uint8Array(1))?.bytes, 0);
    for (const socket of [right, one, other, adopted]) socket.close();
  },
  NEEDS_PASSING,
);

posixTest(
  "sendMessage: to a full socket is WOULD_BLOCK, and no descriptor leaks",
  () => {
    const [left, right] = socketPair("datagram");
    const [reader, writer] = pipe();
    const message = new Uint8Array(1024);
    let sent = 0;
    while (
      left.sendMessage(message, { descriptors: [reader] }) !== WOULD_BLOCK
    ) sent++;
    assert(sent > 0);
    left.close();
    right.close();
    closeAll([reader, writer]);
  },
  NEEDS_PASSING,
);

posixTest(
  "sendMessage, receiveMessage: wrong arguments are refused before any call",
  () => {
    const [left, right] = socketPair();
    const buffer = new Uint8Array(1);
    const refusals: [() => unknown, ErrorConstructor, string][] = [
      [
        () => left.sendMessage(new Uint8Array(0), { descriptors: [0] }),
        RangeError,
        "without a byte",
      ],
      [() => left.sendMessage(buffer, { descriptors: [-1] }), RangeError, "-1"],
      [
        () => left.sendMessage(buffer, { descriptor: [1] } as object),
        TypeError,
        "descriptor",
      ],
      [
        () => left.sendMessage(buffer, { control: { ttl: 1 } as object }),
        TypeError,
        "ttl",
      ],
      [
        () => left.sendMessage(buffer, { control: { timeToLive: 256 } }),
        RangeError,
        "256",
      ],
      [
        () => right.receiveMessage(buffer, { descriptors: -1 }),
        RangeError,
        "-1 descriptors",
      ],
      [
        () => right.receiveMessage(buffer, { size: 1 } as object),
        TypeError,
        "size",
      ],
    ];
    for (const [call, error, text] of refusals) assertThrows(call, error, text);
    assertEquals(right.receiveMessage(buffer), null);
    left.close();
    assertThrows(() => left.sendMessage(buffer), Deno.errors.BadResource);
    assertThrows(() => left.receiveMessage(buffer), Deno.errors.BadResource);
    right.close();
  },
  NEEDS_PASSING,
);

/** Two UDP sockets on the loopback; the second reports all that it can. */
function udpPair(hostname: string): [Socket, Socket, InternetAddress] {
  const address = { hostname, port: 0 };
  const left = Socket.createFor(address, "datagram");
  const right = Socket.createFor(address, "datagram");
  left.bind(address);
  right.bind(address);
  if (hostname === "::1") {
    right.setOption("ipv6ReceivePacketInfo", true);
    right.setOption("ipv6ReceiveHopLimit", true);
  } else {
    right.setOption("receivePacketInfo", true);
    right.setOption("receiveTimeToLive", true);
  }
  return [left, right, right.localAddress as InternetAddress];
}

for (const hostname of ["127.0.0.1", "::1"]) {
  test(
    `receiveMessage: ${hostname}: destination, interface and time to live are reported`,
    () => {
      const [left, right, address] = udpPair(hostname);
      left.sendMessage(bytesOf("x"), { address, control: { timeToLive: 17 } });
      waitFor(right);
      const { control, ...message } = right.receiveMessage(new Uint8Array(9))!;
      assertEquals(message.address, left.localAddress);
      assertEquals(control.packetInfo?.address, hostname);
      assert(control.packetInfo!.interface > 0);
      assertEquals([control.timeToLive, control.others], [17, []]);
      left.close();
      right.close();
    },
    ONLY_LINUX,
  );
}

test(
  `receiveMessage: the arrival of a message is reported in milliseconds${
    emulated ? " (ignored: QEMU does not know SO_TIMESTAMPNS)" : ""
  }`,
  () => {
    const [left, right, address] = udpPair("127.0.0.1");
    right.setOption("receiveTimestamp", true);
    const before = Date.now();
    left.sendTo(bytesOf("x"), address);
    waitFor(right);
    const { timestamp } = right.receiveMessage(new Uint8Array(9))!.control;
    assert(timestamp! > before - 1 && timestamp! <= Date.now() + 1);
    left.close();
    right.close();
  },
  emulated ? { ignore: true } : ONLY_LINUX,
);

test("sendMessage: packetInfo chooses the source address", () => {
  const [left, right, address] = udpPair("127.0.0.1");
  const any = Socket.create("IPv4", "datagram");
  any.bind({ hostname: "0.0.0.0", port: 0 });
  const packetInfo = { address: "127.0.0.9", interface: 0 };
  any.sendMessage(bytesOf("x"), { address, control: { packetInfo } });
  waitFor(right);
  const { hostname } = right.receiveMessage(new Uint8Array(9))!
    .address as InternetAddress;
  assertEquals(hostname, "127.0.0.9");
  for (const wrong of ["::1", "localhost"]) {
    const control = { packetInfo: { address: wrong, interface: 0 } };
    assertThrows(
      () => any.sendMessage(bytesOf("x"), { address, control }),
      TypeError,
      wrong,
    );
  }
  for (const socket of [left, right, any]) socket.close();
}, ONLY_LINUX);

test(
  "sendMessage, receiveMessage: control messages without a name are passed by number",
  () => {
    const [left, right, address] = udpPair("127.0.0.1");
    const { IPPROTO_IP } = system().constants;
    const IP_TOS = 1, IP_RECVTOS = 13;
    right.setRawOption(IPPROTO_IP, IP_RECVTOS, 1);
    const data = new Uint8Array(Int32Array.of(0x10).buffer);
    const options: SendMessageOptions = {
      address,
      control: { others: [{ level: IPPROTO_IP, type: IP_TOS, data }] },
    };
    left.sendMessage(bytesOf("x"), options);
    waitFor(right);
    const { control } = right.receiveMessage(new Uint8Array(9))!;
    assertEquals(control.others, [
      { level: IPPROTO_IP, type: IP_TOS, data: Uint8Array.of(0x10) },
    ]);
    left.close();
    right.close();
  },
  ONLY_LINUX,
);

test("peerCredentials: of a socket pair they are this process", () => {
  const [left, right] = socketPair();
  const { pid, uid, gid } = left.peerCredentials;
  assertEquals([pid, uid, gid], [Deno.pid, Deno.uid(), Deno.gid()]);
  left.close();
  right.close();
}, ONLY_LINUX);

test("peerCredentials: without a peer they are an error", () => {
  for (const domain of ["unix", "IPv4"] as const) {
    using socket = Socket.create(domain);
    assertThrows(() => socket.peerCredentials, Deno.errors.NotConnected);
  }
}, ONLY_LINUX);

test(
  "peerCredentials: of a connection they are those of the peer",
  async () => {
    const directory = await Deno.makeTempDir({ prefix: "pollux-" });
    using listener = Socket.create("unix");
    listener.bind({ path: `${directory}/socket` });
    listener.listen();
    await using child = new Deno.Command(denoProgram(), {
      args: [
        "eval",
        "--no-prompt",
        `using conn = await Deno.connect({ transport: "unix", path: Deno.args[0] });
       await conn.read(new Uint8Array(1));`,
        `${directory}/socket`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const accepted: Socket[] = [];
    await eventually(() => {
      const connection = listener.accept();
      if (connection !== null) accepted.push(connection);
      return connection !== null;
    }, "the child to connect");
    assertEquals(accepted[0]!.peerCredentials.pid, child.pid);
    accepted[0]!.close();
    await child.status;
    await Deno.remove(directory, { recursive: true });
  },
  emulated ? { ignore: true } : ONLY_LINUX,
);

const layouts = ["linux", "darwin", "freebsd", "netbsd", "illumos"].map((os) =>
  [os, cmsghdrLayout({ os, arch: "x86_64" })] as const
);

for (const [os, layout] of layouts) {
  Deno.test(`${os}: control messages are restored from their bytes`, () => {
    const messages = [0, 1, 4, 12, 13].map((length) => ({
      level: length,
      type: -length | 0,
      data: new Uint8Array(length).fill(length),
    }));
    const bytes = encodeControl(messages, layout);
    assertEquals(decodeControl(bytes, layout), messages);
    for (let cut = 0; cut < bytes.length; cut++) {
      const count = decodeControl(bytes.slice(0, cut), layout).length;
      assert(count <= messages.length);
    }
  });

  Deno.test(`${os}: struct cmsghdr is laid out as in its header`, () => {
    // CMSG_LEN(0), CMSG_SPACE(4), CMSG_SPACE(12) of the headers of each
    const expected = {
      linux: [16, 24, 32],
      freebsd: [16, 24, 32],
      netbsd: [16, 24, 32],
      darwin: [12, 16, 24],
      illumos: [12, 16, 24],
    }[os]!;
    assertEquals(
      [layout.data, controlSpace(4, layout), controlSpace(12, layout)],
      expected,
    );
  });
}

Deno.test({
  name: `Linux: control messages are laid out as the C compiler says${reason}`,
  ignore: reason !== "",
  fn: async () => {
    const layout = cmsghdrLayout(system());
    const expressions = {
      "length": [
        "sizeof(((struct cmsghdr *) 0)->cmsg_len)",
        layout.lengthBytes,
      ],
      "level": ["offsetof(struct cmsghdr, cmsg_level)", layout.level],
      "type": ["offsetof(struct cmsghdr, cmsg_type)", layout.type],
      "data": ["CMSG_LEN(0)", layout.data],
      "space1": ["CMSG_SPACE(1)", controlSpace(1, layout)],
      "space8": ["CMSG_SPACE(8)", controlSpace(8, layout)],
      "space20": ["CMSG_SPACE(20)", controlSpace(20, layout)],
      "ttl": ["IP_TTL", 2],
      "pktinfo": ["IP_PKTINFO", 8],
      "pktinfo.size": ["sizeof(struct in_pktinfo)", 12],
      "pktinfo.interface": ["offsetof(struct in_pktinfo, ipi_ifindex)", 0],
      "pktinfo.source": ["offsetof(struct in_pktinfo, ipi_spec_dst)", 4],
      "pktinfo.address": ["offsetof(struct in_pktinfo, ipi_addr)", 8],
      "pktinfo6": ["IPV6_PKTINFO", 50],
      "pktinfo6.size": ["sizeof(struct in6_pktinfo)", 20],
      "pktinfo6.interface": ["offsetof(struct in6_pktinfo, ipi6_ifindex)", 16],
      "hoplimit": ["IPV6_HOPLIMIT", 52],
      "timestamp": ["SCM_TIMESTAMPNS", 35],
      "peercred": ["SO_PEERCRED", 17],
      "ucred": ["sizeof(struct ucred)", 12],
      "ucred.uid": ["offsetof(struct ucred, uid)", 4],
      "ucred.gid": ["offsetof(struct ucred, gid)", 8],
    } as const;
    const headers = ["netinet/in.h", "sys/socket.h", "linux/errqueue.h"];
    assertEquals(
      await printedByC(
        headers,
        Object.entries(expressions).map(([name, [text]]) => [name, text]),
      ),
      Object.entries(expressions).map(([name, [, value]]) => `${name} ${value}`)
        .toSorted(),
    );
  },
});

posixTest("isOpen: a passed descriptor outlives its sender", () => {
  const [left, right] = socketPair();
  const [reader, writer] = pipe();
  left.sendMessage(new Uint8Array(1), { descriptors: [reader] });
  closeAll([reader, writer]);
  left.close();
  const { descriptors } = right.receiveMessage(new Uint8Array(1), {
    descriptors: 1,
  })!;
  assert(isOpen(descriptors[0]!));
  assertEquals(libc().read(descriptors[0]!, new Uint8Array(1), 1), 0);
  closeAll(descriptors);
  right.close();
}, NEEDS_PASSING);

posixTest(
  "sendMessage, receiveMessage: the permission that ffiPermissionFlag() names is enough",
  async () => {
    const { stdout, stderr } = await runDeno(
      `import { pipe, read, socketPair, write } from "POLLUX/backends/ffi/mod.ts";
     const [left, right] = socketPair();
     const [reader, writer] = pipe();
     left.sendMessage(new Uint8Array(1), { descriptors: [writer] });
     const options = { descriptors: 1 };
     const { descriptors } = right.receiveMessage(new Uint8Array(1), options);
     write(descriptors[0], new Uint8Array(3));
     console.log(read(reader, new Uint8Array(9)));`,
      [ffiPermissionFlag()],
    );
    assertEquals(stdout, "3\n", stderr);
  },
  NEEDS_PASSING,
);

posixTest(
  "sendMessage, receiveMessage: memory is not collected during a call",
  async () => {
    const { stdout, stderr } = await runDeno(
      `import { close, pipe, socketPair } from "POLLUX/backends/ffi/mod.ts";
     const [left, right] = socketPair("datagram");
     const [reader] = pipe();
     for (let i = 0; i < ${emulated ? 500 : 20_000}; i++) {
       const value = i & 255;
       left.sendMessage(new Uint8Array(8).fill(value), { descriptors: [reader] });
       if (i % 100 === 0) gc({ type: "minor" });
       const buffer = new Uint8Array(8);
       const message = right.receiveMessage(buffer, { descriptors: 1 });
       close(message.descriptors[0]);
       if (buffer.some((byte) => byte !== value)) console.log(i, buffer);
     }
     console.log("done");`,
      ["--allow-ffi", "--v8-flags=--expose-gc"],
    );
    assertEquals(stdout, "done\n", stderr);
  },
  NEEDS_PASSING,
);
