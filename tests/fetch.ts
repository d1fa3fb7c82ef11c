/** Requests whose connection ends with the response. */

/** Deno closes a connection that its pool keeps when it notices that the server is gone. */
const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });

/** `fetch()` that leaves no connection open. A test that counts descriptors needs that. */
export function fetchOnce(
  url: string,
  init: RequestInit = {},
): Promise<Response> {
  return fetch(url, { ...init, client });
}
