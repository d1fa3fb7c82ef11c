/**
 * A certificate for localhost and 127.0.0.1, made for one test.
 *
 * Sources: RFC 5280, section 4.1, for the fields; RFC 5480 and 5758 for ECDSA; ITU-T
 * X.690 for their encoding (DER).
 */

/** A certificate that signs itself, and its key, in PEM and in files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

type Bytes = Uint8Array<ArrayBuffer>;

const DAY = 24 * 60 * 60 * 1000;

// Tags of X.690; those from 0x80 on belong to the field around them.
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const SEQUENCE = 0x30;
const SET = 0x31;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

const COMMON_NAME = oid(0x55, 0x04, 0x03);
const SUBJECT_ALT_NAME = oid(0x55, 0x1d, 0x11);
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const ECDSA_WITH_SHA256 = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Makes a certificate in a folder. */
export async function makeCertificate(
  directory: string,
): Promise<Certificate> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(
    ALGORITHM,
    true,
    ["sign", "verify"],
  ) as CryptoKeyPair;
  const contents = contentsOf(await crypto.subtle.exportKey("spki", publicKey));
  const signature = await crypto.subtle.sign(ALGORITHM, privateKey, contents);
  const certificate = der(
    SEQUENCE,
    contents,
    der(SEQUENCE, ECDSA_WITH_SHA256),
    bits(signatureOf(new Uint8Array(signature))),
  );
  const key = await crypto.subtle.exportKey("pkcs8", privateKey);
  const texts = {
    cert: pem("CERTIFICATE", certificate),
    key: pem("PRIVATE KEY", new Uint8Array(key)),
  };
  const [certFile, keyFile] = ["cert", "key"].map((name) =>
    `${directory}/${name}.pem`
  ) as [string, string];
  await Deno.writeTextFile(certFile, texts.cert);
  await Deno.writeTextFile(keyFile, texts.key);
  return { ...texts, certFile, keyFile };
}

/** `TBSCertificate`: all but the signature. */
function contentsOf(publicKey: ArrayBuffer): Bytes {
  const name = der(
    SEQUENCE,
    der(
      SET,
      der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, utf8("localhost"))),
    ),
  );
  const serial = crypto.getRandomValues(new Uint8Array(8));
  serial[0] = 1; // positive
  return der(
    SEQUENCE,
    der(VERSION, der(INTEGER, Uint8Array.of(2))), // version 3
    der(INTEGER, serial),
    der(SEQUENCE, ECDSA_WITH_SHA256),
    name, // of the issuer
    der(SEQUENCE, time(Date.now() - DAY), time(Date.now() + DAY)),
    name, // of the subject
    new Uint8Array(publicKey),
    der(EXTENSIONS, der(SEQUENCE, alternativeNames(), noAuthority())),
  );
}

function alternativeNames(): Bytes {
  const names = der(
    SEQUENCE,
    der(DNS_NAME, utf8("localhost")),
    der(IP_ADDRESS, Uint8Array.of(127, 0, 0, 1)),
  );
  return der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTET_STRING, names));
}

/** Clients of Deno refuse a server with the certificate of an authority. */
function noAuthority(): Bytes {
  const critical = der(BOOLEAN, Uint8Array.of(0xff));
  const constraints = der(OCTET_STRING, der(SEQUENCE)); // no more than the defaults
  return der(SEQUENCE, BASIC_CONSTRAINTS, critical, constraints);
}

/** Web Crypto has the two numbers of a signature side by side. */
function signatureOf(pair: Bytes): Bytes {
  return der(
    SEQUENCE,
    unsigned(pair.subarray(0, 32)),
    unsigned(pair.subarray(32)),
  );
}

/** A field: its tag, its length, its contents. */
function der(tag: number, ...contents: readonly Uint8Array[]): Bytes {
  const length = contents.reduce((sum, { length }) => sum + length, 0);
  return Uint8Array.from([
    ...[tag, ...lengthBytes(length)],
    ...contents.flatMap((part) => [...part]),
  ]);
}

/** A length in as few bytes as it needs. */
function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  return [0x82, length >> 8, length & 0xff];
}

/** An integer, which is negative if its first bit is set. */
function unsigned(bytes: Bytes): Bytes {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = bytes.subarray(first);
  return der(
    INTEGER,
    digits[0]! < 0x80 ? new Uint8Array() : Uint8Array.of(0),
    digits,
  );
}

function bits(bytes: Bytes): Bytes {
  const unused = 0;
  return der(BIT_STRING, Uint8Array.of(unused), bytes);
}

function oid(...bytes: number[]): Bytes {
  return der(OBJECT_IDENTIFIER, Uint8Array.from(bytes));
}

/** A time with two digits of its year. */
function time(milliseconds: number): Bytes {
  const digits = new Date(milliseconds).toISOString().replace(/\D/g, "");
  return der(UTC_TIME, utf8(`${digits.slice(2, 14)}Z`));
}

function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

function pem(label: string, bytes: Bytes): string {
  const lines = bytes.toBase64().replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}
