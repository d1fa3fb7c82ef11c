/**
 * A program that listens by `Deno.listen`, and ends.
 *
 * @module
 */

Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
