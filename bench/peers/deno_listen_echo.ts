/**
 * The echo server of `net_echo.ts` on `Deno.listen`.
 *
 *     deno run --allow-net bench/peers/deno_listen_echo.ts 8001 [loop|pipe]
 *
 * @module
 */

import { serve } from "./net_echo.ts";

await serve(Deno);
