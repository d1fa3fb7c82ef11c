/**
 * Downloads by libcurl. libcurl calls back when it needs another wait: for a socket, or
 * for a time. The reactor waits, and calls `curl_multi_socket_action()`.
 *
 * Source: libcurl-multi(3), "multi_socket".
 *
 * @module
 */

import {
  bindCalls,
  bytesAt,
  cString,
  findLibrary,
  textAt,
} from "../backends/ffi/calls.ts";
import type { Reactor, Timer } from "../mod.ts";

const NAMES = ["libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.4.dylib"];

/** <curl/multi.h>. */
const CURLMOPT_SOCKETFUNCTION = 20001, CURLMOPT_TIMERFUNCTION = 20004;
const CURL_POLL_IN = 1, CURL_POLL_OUT = 2, CURL_POLL_REMOVE = 4;
const CURL_CSELECT_IN = 1, CURL_CSELECT_OUT = 2, CURL_SOCKET_TIMEOUT = -1;

/** <curl/curl.h>. */
const CURL_GLOBAL_DEFAULT = 3, CURLE_OK = 0;
const CURLOPT_WRITEDATA = 10001, CURLOPT_URL = 10002;
const CURLOPT_FAILONERROR = 45, CURLOPT_FOLLOWLOCATION = 52;
const CURLOPT_NOSIGNAL = 99, CURLINFO_SIZE_DOWNLOAD_T = 0x600008;

/** struct CURLMsg { CURLMSG msg; CURL *easy_handle; union { CURLcode result; } data; } */
const MESSAGE_BYTES = 24, MESSAGE_EASY = 8, MESSAGE_RESULT = 16;

const one = { parameters: ["pointer"], errors: "none" } as const;
const two = {
  parameters: ["pointer", "pointer"],
  result: "i32",
  errors: "none",
} as const;
const option = {
  parameters: ["pointer", "i32"],
  result: "i32",
  errors: "none",
} as const;

const FUNCTIONS = {
  curl_global_init: { parameters: ["i64"], result: "i32", errors: "none" },
  curl_multi_init: { parameters: [], result: "pointer" },
  curl_multi_setopt: { ...option, variadic: ["function"] },
  curl_multi_add_handle: two,
  curl_multi_remove_handle: two,
  curl_multi_socket_action: {
    parameters: ["pointer", "i32", "i32", "buffer"],
    result: "i32",
    errors: "none",
  },
  curl_multi_info_read: {
    parameters: ["pointer", "buffer"],
    result: "pointer",
  },
  curl_multi_cleanup: { ...one, result: "i32" },
  curl_easy_init: { parameters: [], result: "pointer" },
  setNumber: { ...option, name: "curl_easy_setopt", variadic: ["i64"] },
  setText: { ...option, name: "curl_easy_setopt", variadic: ["buffer"] },
  setPointer: { ...option, name: "curl_easy_setopt", variadic: ["pointer"] },
  curl_easy_getinfo: { ...option, variadic: ["buffer"] },
  curl_easy_cleanup: { ...one, result: "void" },
  curl_easy_strerror: { parameters: ["i32"], result: "pointer" },
} as const;

const FILES = {
  // FILE *fopen(const char *pathname, const char *mode)
  fopen: {
    parameters: ["buffer", "buffer"],
    result: "pointer",
    errors: "errno",
  },
  // int fclose(FILE *stream)
  fclose: { parameters: ["pointer"], result: "i32" },
} as const;

/** Is called at the end of a download, with the error as text, and the size. */
export type DownloadCallback = (error: string | null, bytes: bigint) => void;

interface Download {
  readonly url: string;
  readonly easy: Deno.PointerObject;
  readonly file: Deno.PointerObject;
  readonly callback: DownloadCallback;
}

/** Downloads files at once. Dispose of it after the last. */
export class Downloader implements Disposable {
  readonly #reactor: Reactor;
  readonly #curl = bindCalls(FUNCTIONS, findLibrary(...NAMES));
  readonly #c = bindCalls(FILES);
  readonly #multi: Deno.PointerObject;
  readonly #downloads = new Map<bigint, Download>();
  readonly #count = new Int32Array(new ArrayBuffer(4));
  #timer: Timer | null = null;

  /** `int socket_callback(CURL *easy, curl_socket_t s, int what, void *, void *)`. */
  readonly #onSocket = new Deno.UnsafeCallback(
    {
      parameters: ["pointer", "i32", "i32", "pointer", "pointer"],
      result: "i32",
    },
    (_easy, socket, what) => this.#watch(socket, what),
  );

  /** `int timer_callback(CURLM *multi, long timeout_ms, void *clientp)`. */
  readonly #onTimer = new Deno.UnsafeCallback(
    { parameters: ["pointer", "i64", "pointer"], result: "i32" },
    (_multi, timeout) => this.#setTimer(Number(timeout)),
  );

  /** @throws {Deno.errors.NotFound} if libcurl is not installed */
  constructor(reactor: Reactor) {
    this.#reactor = reactor;
    const curl = this.#curl;
    curl.curl_global_init(BigInt(CURL_GLOBAL_DEFAULT));
    const multi = this.#multi = curl.curl_multi_init()!;
    const { pointer: onSocket } = this.#onSocket;
    curl.curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, onSocket);
    curl.curl_multi_setopt(
      multi,
      CURLMOPT_TIMERFUNCTION,
      this.#onTimer.pointer,
    );
  }

  /** Downloads a URL into a file. @throws {SystemError} if the file cannot be opened */
  start(url: string, path: string, callback: DownloadCallback): void {
    const curl = this.#curl;
    const file = this.#c.fopen(cString(path), cString("wb"))!;
    const easy = curl.curl_easy_init()!;
    curl.setText(easy, CURLOPT_URL, cString(url));
    curl.setPointer(easy, CURLOPT_WRITEDATA, file);
    curl.setNumber(easy, CURLOPT_FAILONERROR, 1n);
    curl.setNumber(easy, CURLOPT_FOLLOWLOCATION, 1n);
    curl.setNumber(easy, CURLOPT_NOSIGNAL, 1n);
    const download = { url, easy, file, callback };
    this.#downloads.set(Deno.UnsafePointer.value(easy), download);
    curl.curl_multi_add_handle(this.#multi, easy);
  }

  /** libcurl ends the wait for a socket before it closes the socket. */
  #watch(socket: number, what: number): number {
    const reactor = this.#reactor;
    reactor.removeReader(socket);
    reactor.removeWriter(socket);
    if (what === CURL_POLL_REMOVE) return 0;
    if ((what & CURL_POLL_IN) !== 0) {
      reactor.addReader(socket, () => this.#act(socket, CURL_CSELECT_IN));
    }
    if ((what & CURL_POLL_OUT) !== 0) {
      reactor.addWriter(socket, () => this.#act(socket, CURL_CSELECT_OUT));
    }
    return 0;
  }

  /** A callback must not call libcurl, so a timeout of 0 waits for the next turn. */
  #setTimer(timeout: number): number {
    this.#timer?.cancel();
    this.#timer = timeout < 0 ? null : this.#reactor.callLater(
      timeout,
      () => this.#act(CURL_SOCKET_TIMEOUT, 0),
    );
    return 0;
  }

  #act(socket: number, events: number): void {
    const curl = this.#curl;
    curl.curl_multi_socket_action(this.#multi, socket, events, this.#count);
    for (let message; (message = this.#nextMessage()) !== null;) {
      const view = new DataView(bytesAt(message, MESSAGE_BYTES).buffer);
      const easy = view.getBigUint64(MESSAGE_EASY, true);
      this.#end(easy, view.getInt32(MESSAGE_RESULT, true));
    }
  }

  /** The only kind of message is the end of a download. */
  #nextMessage(): Deno.PointerValue {
    return this.#curl.curl_multi_info_read(this.#multi, this.#count);
  }

  #end(handle: bigint, result: number): void {
    const curl = this.#curl;
    const { url, easy, file, callback } = this.#downloads.get(handle)!;
    const bytes = new BigInt64Array(1);
    curl.curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, bytes);
    this.#downloads.delete(handle);
    curl.curl_multi_remove_handle(this.#multi, easy);
    curl.curl_easy_cleanup(easy);
    const unwritten = this.#close(file);
    const error = result === CURLE_OK
      ? unwritten
      : textAt(curl.curl_easy_strerror(result)!);
    callback(error === null ? null : `${url}: ${error}`, bytes[0]!);
  }

  /** Closes a file, which writes its last bytes; returns why it cannot, or null. */
  #close(file: Deno.PointerObject): string | null {
    try {
      this.#c.fclose(file);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  [Symbol.dispose](): void {
    for (const { easy, file } of this.#downloads.values()) {
      this.#curl.curl_multi_remove_handle(this.#multi, easy);
      this.#curl.curl_easy_cleanup(easy);
      this.#close(file);
    }
    this.#curl.curl_multi_cleanup(this.#multi);
    this.#timer?.cancel();
    this.#onSocket.close();
    this.#onTimer.close();
    this.#c[Symbol.dispose]();
    this.#curl[Symbol.dispose]();
  }
}
