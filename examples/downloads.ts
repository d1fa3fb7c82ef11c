// Downloads several files at once, each into the current directory. It calls libcurl, which
// opens the sockets, and asks by two callbacks for the waits that it needs.
//
//     deno run --allow-ffi examples/downloads.ts https://deno.com https://curl.se/rfc/rfc2616.txt
//
// Ctrl-C ends it.

import { parseArgs } from "node:util";
import { isSystemError, Reactor } from "../mod.ts";
import { main, orRefuse, report } from "./command_line.ts";
import { type DownloadCallback, Downloader } from "./libcurl.ts";

/** The URLs by the names of their files. */
function parse(): Map<string, URL> {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length === 0) throw new TypeError("Usage: downloads.ts URL…");
  const urls = new Map<string, URL>();
  for (const text of positionals) {
    const url = new URL(text);
    const name = nameOf(url);
    // Both would write into one file.
    if (urls.has(name)) throw new TypeError(`Two files have the name ${name}`);
    urls.set(name, url);
  }
  return urls;
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
  for (const [name, url] of urls) {
    const end: DownloadCallback = (error, bytes) => {
      if (error !== null) failed++;
      const result = error ?? `${name} is complete, with ${bytes} bytes`;
      console.log(`${++ended} of ${urls.size}: ${result}`);
    };
    try {
      downloader.start(url.href, name, end);
    } catch (error) {
      // One file that cannot be written does not end the others.
      if (!isSystemError(error)) throw error;
      end(`${name}: ${error.message}`, 0n);
    }
  }
  reactor.run();
  if (failed > 0) Deno.exitCode = 1;
});
