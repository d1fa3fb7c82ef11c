/**
 * The files of the inspector's page, and the check that a request is from this machine.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import plotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import plotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import faults from "./faults.js" with { type: "text" };
import format from "./format.js" with { type: "text" };
import style from "./page.css" with { type: "text" };
import html from "./page.html" with { type: "text" };
import script from "./page.js" with { type: "text" };
import plots from "./plots.js" with { type: "text" };
import story from "./story.js" with { type: "text" };
import table from "./table.js" with { type: "text" };

const FILES = new Map([
  ["/", { type: "text/html", text: html }],
  ["/page.css", { type: "text/css", text: style }],
  ["/uplot.css", { type: "text/css", text: plotStyle }],
  ["/uplot.js", { type: "text/javascript", text: plotScript }],
  ["/faults.js", { type: "text/javascript", text: faults }],
  ["/format.js", { type: "text/javascript", text: format }],
  ["/page.js", { type: "text/javascript", text: script }],
  ["/plots.js", { type: "text/javascript", text: plots }],
  ["/story.js", { type: "text/javascript", text: story }],
  ["/table.js", { type: "text/javascript", text: table }],
]);

/** The headers of all answers. Text from the program cannot become a script. */
export const HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy":
    "default-src 'none'; connect-src 'self'; img-src data:; script-src 'self'; " +
    "style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

/** Answers with a file of the page. */
export function sendFile(path: string, response: ServerResponse): void {
  const file = FILES.get(path);
  if (file === undefined) return refuse(response, 404, "Not found");
  const type = `${file.type}; charset=utf-8`;
  response.setHeader("Content-Type", type).end(file.text);
}

/** Answers with an error. */
export function refuse(
  response: ServerResponse,
  status: number,
  text: string,
): void {
  response.writeHead(status, { "Content-Type": "text/plain" }).end(`${text}\n`);
}

/**
 * Whether a request names this machine. The page of another site may have a name that
 * resolves to 127.0.0.1 (DNS rebinding).
 */
export function isLocal({ headers: { host = "" } }: IncomingMessage): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host);
}
