// Pages over TLS by node:https on a reactor. It needs a certificate and its key:
//
//     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
//       -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
//       -keyout key.pem -out cert.pem
//     deno run --allow-ffi --allow-read=cert.pem,key.pem examples/https_server.ts
//
// Then, in another terminal: curl --cacert cert.pem https://localhost:8001/
//
// Ctrl-C ends it.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import { attach } from "../adapters/node/mod.ts";
import { formatAddress, Reactor } from "../mod.ts";
import {
  main,
  onInterrupt,
  parseCommandLine,
  Refusal,
  report,
} from "./command_line.ts";
import { INSPECT, inspect } from "./inspector/option.ts";

/** Without this check, only clients would notice: each connection would be reset. */
function check(cert: string, key: string): void {
  try {
    const certificate = new X509Certificate(cert);
    if (certificate.checkPrivateKey(createPrivateKey(key))) return;
  } catch (error) {
    const why = (error as Error).message;
    throw new Refusal(`Cannot read the certificate or its key: ${why}`);
  }
  throw new Refusal("The key is that of another certificate");
}

if (import.meta.main) {
  await main(async () => {
    const { address, values } = parseCommandLine({
      cert: { type: "string", default: "cert.pem" },
      key: { type: "string", default: "key.pem" },
      ...INSPECT,
    });
    const cert = await Deno.readTextFile(String(values.cert));
    const key = await Deno.readTextFile(String(values.key));
    check(cert, key);
    await using reactor = new Reactor({ onError: report });
    const served = reactor.serve();
    await inspect(reactor, values);

    const server = createServer({ cert, key }, (request, response) => {
      const protocol = (request.socket as TLSSocket).getProtocol();
      response.end(`${request.method} ${request.url} over ${protocol}\n`);
    });
    // A client that does not trust the certificate is no failure of the server.
    server.on("tlsClientError", () => {});
    const acceptor = attach(server, reactor, address);
    console.log(`Server start at: ${formatAddress(acceptor.address)}`);

    onInterrupt(() => {
      server.closeAllConnections();
      server.close(() => reactor.stop());
    });
    await served;
    Deno.exit();
  });
}
