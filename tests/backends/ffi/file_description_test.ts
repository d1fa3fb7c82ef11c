/** The description of descriptors of each kind. */

import { assertEquals } from "@std/assert";
import { EventFd } from "../../../backends/ffi/event_fd.ts";
import { describeFile } from "../../../backends/ffi/file_description.ts";
import { close, pipe, Socket } from "../../../backends/ffi/mod.ts";
import { TimerFd } from "../../../backends/ffi/timer_fd.ts";
import { Epoll } from "../../../backends/mod.ts";
import { openFile } from "../../../backends/ffi/open_path.ts";
import {
  NEEDS_FILES,
  NEEDS_PIPES,
  NEEDS_UNIX_DATAGRAMS,
  ONLY_LINUX,
  pairOf,
  test,
} from "../../util.ts";

test("describeFile: both ends of a pipe are a pipe", () => {
  const ends = pipe();
  assertEquals(ends.map((fd) => describeFile(fd).kind), ["pipe", "pipe"]);
  for (const fd of ends) close(fd);
}, NEEDS_PIPES);

test("describeFile: a number that is not open is closed, and so is -1", () => {
  assertEquals(describeFile(-1).kind, "closed");
  assertEquals(describeFile(1_000_000).kind, "closed");
});

test("describeFile: a listening socket has its address and no peer", () => {
  using socket = Socket.create();
  socket.bind({ hostname: "127.0.0.1", port: 0 });
  assertEquals(describeFile(socket.fd).listening, false);
  socket.listen();
  const { kind, domain, type, listening, localAddress, remoteAddress } =
    describeFile(socket.fd);
  assertEquals([kind, domain, type, listening], [
    "socket",
    "IPv4",
    "stream",
    true,
  ]);
  assertEquals(localAddress, socket.localAddress);
  assertEquals(remoteAddress, null);
});

test("describeFile: a pair of Unix sockets has no names", () => {
  using pair = pairOf("datagram");
  const { kind, domain, type, localAddress } = describeFile(pair.left.fd);
  assertEquals([kind, domain, type], ["socket", "unix", "datagram"]);
  assertEquals(localAddress, { path: "" });
}, NEEDS_UNIX_DATAGRAMS);

test("describeFile: a regular file and a directory have their paths", () => {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  Deno.writeTextFileSync(`${folder}/file`, "");
  const file = openFile(`${folder}/file`);
  const { kind, path } = describeFile(file);
  close(file);
  assertEquals(kind, "file");
  assertEquals(path, Deno.build.os === "linux" ? `${folder}/file` : null);
  Deno.removeSync(folder, { recursive: true });
}, NEEDS_FILES);

test("describeFile: /dev/null is a device", () => {
  const file = openFile("/dev/null");
  assertEquals(describeFile(file).kind, "device");
  close(file);
}, NEEDS_FILES);

test("describeFile: epoll, eventfd and timerfd have their own kinds", () => {
  using epoll = new Epoll();
  using counter = new EventFd();
  using timer = new TimerFd();
  const kinds = [epoll, counter, timer].map(({ fd }) => describeFile(fd).kind);
  assertEquals(kinds, ["epoll", "eventfd", "timerfd"]);
}, ONLY_LINUX);
