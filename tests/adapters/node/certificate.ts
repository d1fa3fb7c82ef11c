/** A certificate for 127.0.0.1, made by openssl for one test. */

import { assert } from "@std/assert";

/** A certificate that signs itself, and its key, in PEM and in files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes a certificate in a folder. */
export async function makeCertificate(
  directory: string,
): Promise<Certificate> {
  const certFile = `${directory}/cert.pem`;
  const keyFile = `${directory}/key.pem`;
  const { success } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-nodes", "-days", "1"],
      ...["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      // Clients of Deno refuse a server with the certificate of an authority.
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-keyout", keyFile, "-out", certFile],
    ],
    stdout: "null",
    stderr: "null",
  }).output();
  assert(success, "openssl failed");
  return {
    certFile,
    keyFile,
    cert: await Deno.readTextFile(certFile),
    key: await Deno.readTextFile(keyFile),
  };
}
