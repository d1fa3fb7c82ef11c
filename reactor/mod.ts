/**
 * A reactor on top of the selectors: callbacks on readiness, timers, TCP, UDP and Unix
 * sockets. It runs with the thread to itself, or next to Deno's event loop.
 *
 * @example An echo server and its client
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * using reactor = new Reactor();
 * const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
 *   peer.onData = (chunk) => peer.write(chunk);
 * });
 * const { port } = server.address;
 *
 * const client = reactor.connect({ port });
 * client.write(new TextEncoder().encode("hello"));
 * client.onData = (chunk) => {
 *   assertEquals(new TextDecoder().decode(chunk), "hello");
 *   client.end();
 *   server.close();
 * };
 * reactor.run(); // returns when nothing is left
 * ```
 *
 * @module
 */

import "./modules.ts"; // first: it has the reason
export { Acceptor } from "./acceptor.ts";
export type { Callback } from "./callback.ts";
export type { ConnectOptions } from "./connect_options.ts";
export { Conn } from "./deno_net/conn.ts";
export { Listener } from "./deno_net/listener.ts";
export { Net } from "./deno_net/net.ts";
export { Connection } from "./connection.ts";
export type { ConnectionOptions } from "./connection_options.ts";
export {
  Datagram,
  type DatagramCallbacks,
  type OutgoingMessage,
} from "./datagram.ts";
export type { DatagramOptions } from "./datagram_socket.ts";
export type {
  Description,
  DescriptorDescription,
  TimerDescription,
} from "./diagnosis/description.ts";
export type {
  Diagnosis,
  DiagnosisOptions,
  Spin,
  Stall,
} from "./diagnosis/diagnosis.ts";
export type {
  FileDescription,
  FileKind,
} from "../backends/ffi/file_description.ts";
export type { Endpoint } from "./endpoint.ts";
export type { Handler } from "./handler_pairs.ts";
export type { ListenOptions } from "./listen_options.ts";
export type { OpenOptions } from "./opening.ts";
export type { ReactorOptions, ServeOptions } from "./reactor_options.ts";
export type { Readiness, ReadinessOptions } from "./readiness.ts";
export { Reactor } from "./reactor.ts";
export type { ShutdownOptions } from "./shutdown.ts";
export type { SignalWatch } from "./signals.ts";
export type { ReactorStatistics } from "./statistics.ts";
export { Stream } from "./stream.ts";
export type {
  ConnectionCallbacks,
  StreamCallbacks,
} from "./stream_callbacks.ts";
export type { Chunk, StreamWriter } from "./stream_writer.ts";
export type { Timer } from "./timers.ts";
export { wake } from "./waker.ts";
