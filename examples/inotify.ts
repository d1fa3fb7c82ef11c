// Prints what happens to the files of a directory, and of all directories below it. Deno's
// own watcher reports neither that a file is complete, nor from where a file was moved.
//
//     deno run --allow-ffi --allow-read examples/inotify.ts /tmp
//
// Then, in another terminal: echo text > /tmp/file; mv /tmp/file /tmp/other
//
// Ctrl-C ends it.

import { parseArgs } from "node:util";
import { Inotify, type InotifyEvent } from "../adapters/inotify/mod.ts";
import { Reactor } from "../mod.ts";
import { main, orRefuse, refuse } from "./command_line.ts";

function parse(): string {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length === 1) return positionals[0]!;
  throw new TypeError("Usage: inotify.ts PATH");
}

/** The event in words; null if it is not worth a line. */
function describe(event: InotifyEvent): string | null {
  if (event.type === "overflow") return "Some changes were lost";
  const kind = event.isDirectory ? "directory" : "file";
  const { path } = event;
  switch (event.type) {
    case "create":
      return `The ${kind} ${path} is new`;
    case "close":
      return `The ${kind} ${path} was written`;
    case "move":
      return `The ${kind} ${event.from} is now ${path}`;
    case "delete":
      return `The ${kind} ${path} is gone`;
    case "modify":
    case "attributes":
      return null;
  }
}

await main(async () => {
  const path = orRefuse(parse);
  if (Deno.build.os !== "linux") {
    refuse("Cannot run here: only Linux has inotify");
  }
  await using reactor = new Reactor();
  reactor.serve();
  using watcher = new Inotify(reactor);
  watcher.watch(path, { recursive: true });
  console.log(`Watching ${path}`);
  for await (const event of watcher) {
    const line = describe(event);
    // A name may have any characters, also those that terminals obey.
    if (line !== null) console.log(line.replace(/\p{Control}/gu, "?"));
  }
});
