/**
 * Standard input, output and error of a child.
 *
 * @module
 */

import {
  close,
  dup,
  fileDescriptor,
  type FileObject,
  pipe,
  setBlocking,
} from "../../backends/ffi/descriptor.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import type { Stream } from "../../reactor/stream.ts";
import type { FileActions } from "./file_actions.ts";

/**
 * A standard stream of a child.
 *
 * - "inherit": that of this process
 * - "null": nothing to read, and output is discarded
 * - "pipe": a `Stream` of the child object
 * - a descriptor, or an object with one, which stays open here
 */
export type ChildStdio = "inherit" | "null" | "pipe" | FileObject;

/** The three, in the order of their numbers; "terminal" is the terminal of the child. */
export type StandardStreams = readonly (ChildStdio | "terminal")[];

/** The first number after the standard streams. */
const FIRST_FREE = 3;

/**
 * Checks a choice.
 *
 * @throws {TypeError} if it is none of `ChildStdio`
 */
export function checkStdio(name: string, choice: unknown): void {
  if (["inherit", "null", "pipe", "terminal"].includes(choice as string)) {
    return;
  }
  if (typeof choice !== "string") {
    return void fileDescriptor(choice as FileObject);
  }
  throw new TypeError(
    `Cannot use ${JSON.stringify(choice)} as ${name}: ` +
      'it must be "inherit", "null", "pipe" or a descriptor',
  );
}

/**
 * Adds the actions that give a child its standard streams.
 *
 * @param terminal The path of its terminal; null without one
 * @param childEnds Receives the descriptors to close after the spawn
 * @param ownEnds Receives the streams, which are aborted if there is no spawn
 * @returns the streams of this process; null for each that is no pipe
 */
export function addStandardStreams(
  reactor: Reactor,
  actions: FileActions,
  choices: StandardStreams,
  terminal: string | null,
  childEnds: DisposableStack,
  ownEnds: DisposableStack,
): (Stream | null)[] {
  const streams = choices.map((choice, target) => {
    if (choice === "terminal" || choice === "inherit") return null;
    if (choice === "null") actions.open(target, "/dev/null");
    else if (choice !== "pipe") {
      addDescriptor(actions, choice, target, childEnds);
    } else return addPipe(reactor, actions, target, childEnds, ownEnds);
    return null;
  });
  if (terminal !== null) addTerminal(actions, choices, terminal);
  // Other code opens descriptors without close-on-exec, and this process inherits some.
  actions.closeFrom(FIRST_FREE);
  return streams;
}

function addDescriptor(
  actions: FileActions,
  fileobj: FileObject,
  target: number,
  childEnds: DisposableStack,
): void {
  let fd = fileDescriptor(fileobj);
  // Another action may replace a standard stream before its turn.
  if (fd < FIRST_FREE && fd !== target) {
    fd = dup(fd);
    childEnds.adopt(fd, close);
  }
  actions.dup2(fd, target);
}

function addPipe(
  reactor: Reactor,
  actions: FileActions,
  target: number,
  childEnds: DisposableStack,
  ownEnds: DisposableStack,
): Stream {
  const [reader, writer] = pipe();
  const [own, childEnd] = target === 0 ? [writer, reader] : [reader, writer];
  childEnds.adopt(childEnd, close);
  const stream = opened(reactor, own);
  ownEnds.defer(() => stream.abort());
  setBlocking(childEnd, true);
  actions.dup2(childEnd, target);
  return stream;
}

function opened(reactor: Reactor, fd: number): Stream {
  try {
    return reactor.open(fd);
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Opens the terminal in the child, which makes it the controlling one. */
function addTerminal(
  actions: FileActions,
  choices: StandardStreams,
  path: string,
): void {
  const [first, ...others] = choices.keys()
    .filter((target) => choices[target] === "terminal");
  actions.open(first!, path);
  for (const target of others) actions.dup2(first!, target);
}
