// Downloads several files at once, each into the current directory. It calls libcurl, which
// opens the sockets, and asks by two callbacks for the waits that it needs.
//
//     deno run --allow-ffi examples/downloads.ts https://deno.com https://curl.se/rfc/rfc2616.txt
//
// Ctrl-C ends it.

import { parseArgs } from "node:util";
import { Reactor } from "../mod.ts";
import { main, orRefuse, report } from "./command_line.ts";
import { Downloader } from "./libcurl.ts";

function parse(): URL[] {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length === 0) throw new TypeError("Usage: downloads.ts URL…");
  return positionals.map((text) => new URL(text));
}

/** The name of the file for a URL. */
function nameOf({ pathname }: URL): string {
  return pathname.split("/").filter((part) => part !== "").at(-1) ?? "index";
}

await main(() => {
  const urls = orRefuse(parse);
  using reactor = new Reactor({ onError: report });
  using downloader = new Downloader(reactor);
  let ended = 0, failed = 0;
  for (const url of urls) {
    const name = nameOf(url);
    downloader.start(url.href, name, (error, bytes) => {
      if (error !== null) failed++;
      const result = error ?? `${name} is complete, with ${bytes} bytes`;
      console.log(`${++ended} of ${urls.length}: ${result}`);
    });
  }
  reactor.run();
  if (failed > 0) Deno.exitCode = 1;
});
