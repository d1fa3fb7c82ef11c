/** A real browser without a screen, driven by the DevTools protocol. */

import { assert, fail } from "@std/assert";
import { fetchOnce } from "../fetch.ts";
import { absenceOf, Program } from "../program.ts";

/** How long a page may take to meet a condition, in milliseconds. */
const PATIENCE = 60_000;

/** How long the page itself waits, until it is asked again, in milliseconds. */
const ROUND = 500;

/** Why tests with a browser have to be ignored; undefined if it is installed. */
export const chromiumAbsence: string | undefined = await absenceOf(
  "chromium",
  "--version",
);

/** An answer, or an event, of the DevTools protocol. */
interface Message {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A program of Chromium, with a profile of its own. */
export class Chromium implements AsyncDisposable {
  readonly #program: Program;
  readonly #profile: string;
  readonly #pages: Page[] = [];

  private constructor(program: Program, profile: string) {
    this.#program = program;
    this.#profile = profile;
  }

  /** Starts it. The fonts and the size of pages do not depend on the machine. */
  static async start(): Promise<Chromium> {
    const profile = await Deno.makeTempDir({ prefix: "pollux-chromium-" });
    const program = new Program("chromium", [
      "--headless=new",
      // Its own sandbox refuses to run for root.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      "--hide-scrollbars",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ], { timeout: 60_000 });
    return new Chromium(program, profile);
  }

  /** Opens a page in a window of a size. */
  async open(url: string, width: number, height: number): Promise<Page> {
    const origin = /DevTools listening on ws:\/\/([^/]+)\//;
    await this.#program.until(() => origin.test(this.#program.errors));
    const [, host] = origin.exec(this.#program.errors)!;
    const created = await fetchOnce(`http://${host}/json/new?about:blank`, {
      method: "PUT",
    });
    const { webSocketDebuggerUrl } = await created.json();
    const page = await Page.connect(webSocketDebuggerUrl);
    this.#pages.push(page);
    await page.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
    await page.send("Page.navigate", { url });
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const page of this.#pages) await page.close();
    this.#program.kill("SIGTERM");
    await this.#program.ending();
    await this.#program[Symbol.asyncDispose]();
    await Deno.remove(this.#profile, { recursive: true });
  }
}

/** A page of the browser. */
export class Page {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #count = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const message: Message = JSON.parse(data);
      if (message.id === undefined) return;
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    };
  }

  /** Connects to a page by its address in the DevTools protocol. */
  static async connect(url: string): Promise<Page> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return new Page(socket);
  }

  /** Calls a method of the DevTools protocol. */
  async send(
    method: string,
    params: Record<string, unknown> = {},
  ): Promise<Record<string, unknown>> {
    const id = ++this.#count;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await promise;
    assert(result !== undefined, `${method}: ${error?.message}`);
    return result;
  }

  /** The value of an expression in the page. */
  async value<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    assert(exceptionDetails === undefined, JSON.stringify(exceptionDetails));
    return (result as { value: Value }).value;
  }

  /** Waits until an expression in the page is true. */
  async until(expression: string): Promise<void> {
    const end = performance.now() + PATIENCE;
    while (performance.now() < end) {
      if (await this.#meets(expression)) return;
    }
    const text = await this.value<string>("document.body.innerText");
    fail(`Waited in vain for ${expression}:\n${text}`);
  }

  /**
   * Asks again and again whether an expression is true, for a while. The focus, for
   * example, changes without an event.
   */
  async #meets(expression: string): Promise<boolean> {
    const script = `new Promise((resolve) => {
      const end = performance.now() + ${ROUND};
      const check = () => {
        if (${expression}) resolve(true);
        else if (performance.now() > end) resolve(false);
        else setTimeout(check, 15);
      };
      check();
    })`;
    try {
      return await this.value<boolean>(script);
    } catch {
      // The page was replaced by another one.
      return false;
    }
  }

  /** Waits until the page shows a text. */
  async shows(text: string): Promise<void> {
    const wanted = JSON.stringify(text);
    await this.until(`document.body?.innerText.includes(${wanted})`);
  }

  /** Types a text into the element that has the focus. */
  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** Presses and releases a key. */
  async press(key: "Enter" | "Tab"): Promise<void> {
    const code = { Enter: 13, Tab: 9 }[key];
    const text = key === "Enter" ? { text: "\r" } : {};
    const event = { key, code: key, windowsVirtualKeyCode: code };
    await this.send("Input.dispatchKeyEvent", {
      type: "keyDown",
      ...event,
      ...text,
    });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** A picture of the page as PNG. */
  async picture(): Promise<Uint8Array<ArrayBuffer>> {
    const { data } = await this.send("Page.captureScreenshot", {
      format: "png",
    });
    return Uint8Array.fromBase64(data as string);
  }

  /** Ends the connection to the page. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
  }
}
