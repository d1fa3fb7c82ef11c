/**
 * The server of `deno serve`, which answers as examples/many_cores.ts.
 *
 *     deno serve --parallel bench/cores/serve.ts
 *
 * @module
 */

export default {
  fetch: (): Response => new Response("worker 1\n"),
} satisfies Deno.ServeDefaultExport;
