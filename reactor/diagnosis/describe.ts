/**
 * Describes a loop, row by row, in slices.
 *
 * @module
 */

import { describeFile } from "../../backends/ffi/file_description.ts";
import { bytesReadOf, bytesWrittenOf } from "../../backends/ffi/transfers.ts";
import type { FileObject, SelectorKey } from "../../backends/selector.ts";
import { Acceptor } from "../acceptor.ts";
import type { Callback } from "../callback.ts";
import { now } from "../clock.ts";
import { Connection } from "../connection.ts";
import { Datagram } from "../datagram.ts";
import { Conn } from "../deno_net/conn.ts";
import { Listener } from "../deno_net/listener.ts";
import { DESCRIBE, Endpoint } from "../endpoint.ts";
import type { Loop } from "../loop.ts";
import { Stream } from "../stream.ts";
import { rareOf } from "../stream_writer.ts";
import type { QueuedTimer } from "../timers.ts";
import type { Description, DescriptorDescription } from "./description.ts";

/** Milliseconds after which Deno's loop, and so the reactor, gets a turn. */
const SLICE = 1;

/** Rows between two readings of the clock, each of some ten microseconds. */
const ROWS = 16;

/** The parts of a reactor that a description needs. */
export interface Described {
  readonly loop: Loop;
  /** Returns the name of a callback that stands for others; null of any other one. */
  readonly nameOf: (callback: Callback) => string | null;
}

/** Describes a loop; returns to Deno's loop after each slice. */
export async function* describe(
  described: Described,
): AsyncGenerator<Description, void> {
  let end = now() + SLICE;
  let rows = 0;
  for (const row of rowsOf(described)) {
    yield row;
    if (++rows % ROWS !== 0 || now() < end) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    end = now() + SLICE;
  }
}

/**
 * The rows: registered descriptors by their numbers, then owned ones that are not
 * registered, then timers. A registration that begins meanwhile may be missing; none that
 * ends meanwhile has a second row.
 */
function* rowsOf(described: Described): Generator<Description, void> {
  const { loop } = described;
  const map = loop.selector.getMap();
  const before = new Set<FileObject>();
  for (const key of map.values()) {
    if (loop.isInternal(key.fileobj)) continue;
    before.add(key.fileobj);
    yield describeKey(key, described);
  }
  for (const resource of loop.resources.list()) {
    if (!(resource instanceof Endpoint) || resource.closed) continue;
    if (before.has(resource)) continue;
    const { fd } = resource;
    if (fd >= 0 && map.get(fd)?.fileobj === resource) continue;
    yield describeDescriptor(resource, fd, 0, "", described);
  }
  for (const timer of loop.schedule.listTimers()) {
    if (timer.active) yield describeTimer(timer);
  }
}

/** Describes a registration. */
export function describeKey(
  { fileobj, fd, events, data }: SelectorKey<Callback>,
  described: Described,
): DescriptorDescription {
  const name = described.nameOf(data) ?? data.name;
  return describeDescriptor(fileobj, fd, events, name, described);
}

function describeDescriptor(
  fileobj: FileObject,
  fd: number,
  events: number,
  name: string,
  { loop }: Described,
): DescriptorDescription {
  const counts = loop.dispatcher.observer?.counts ?? null;
  const [, bytesQueued, paused] = fileobj instanceof Endpoint
    ? fileobj[DESCRIBE]()
    : ["", 0, false] as const;
  return {
    subject: "descriptor",
    fd,
    file: describeFile(fd),
    role: roleOf(fileobj),
    callback: endpointCallback(fileobj) ?? name,
    events,
    paused,
    bytesQueued,
    since: counts?.since(fd) ?? null,
    ready: counts?.ready(fd) ?? null,
    idle: counts?.idle(fd) ?? null,
    bytesRead: counts === null ? null : bytesReadOf(fd),
    bytesWritten: counts === null ? null : bytesWrittenOf(fd),
  };
}

/** Names the class of a file object in a word. */
function roleOf(fileobj: FileObject): DescriptorDescription["role"] {
  if (fileobj instanceof Acceptor || fileobj instanceof Listener) {
    return "acceptor";
  }
  if (fileobj instanceof Connection || fileobj instanceof Conn) {
    return "connection";
  }
  if (fileobj instanceof Stream) return "stream";
  if (fileobj instanceof Datagram) return "datagram";
  return fileobj instanceof Endpoint ? "endpoint" : "program";
}

/** Returns the name of the program's callback behind that of an endpoint, or null. */
function endpointCallback(fileobj: FileObject): string | null {
  if (fileobj instanceof Stream) {
    const isPulled = (rareOf(fileobj)?.reader ?? null) !== null;
    return isPulled ? "readable" : propertyName(fileobj.onData, "onData");
  }
  if (fileobj instanceof Datagram) {
    return propertyName(fileobj.onSegments, "onSegments") ||
      propertyName(fileobj.onMessage, "onMessage");
  }
  return fileobj instanceof Endpoint ? fileobj[DESCRIBE]()[0] : null;
}

/** Returns the name of a callback: that of the function, or else of its property. */
function propertyName(
  callback: { readonly name: string } | null | undefined,
  property: string,
): string {
  return callback ? callback.name || property : "";
}

/** Returns the name of the callback of a ready file object. */
export function nameOfCallback(
  fileobj: FileObject,
  callback: Callback,
  { nameOf }: Described,
): string {
  return endpointCallback(fileobj) || nameOf(callback) || callback.name ||
    "(anonymous)";
}

function describeTimer(timer: QueuedTimer): Description {
  const { deadline, interval, referenced, callback } = timer;
  const { name } = callback;
  return { subject: "timer", deadline, interval, referenced, callback: name };
}
