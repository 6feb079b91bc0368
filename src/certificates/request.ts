import { createHash, randomBytes } from 'node:crypto'
import {
  bitString,
  context,
  type Der,
  integer,
  objectIdentifier,
  octetString,
  pem,
  primitive,
  sequence,
  set,
  time,
  truth,
  utf8String,
} from './der.ts'
import { makeLeafKey, type SigningKey, signingKey } from './leaf-key.ts'

const COMMON_NAME = '2.5.4.3'
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const SUBJECT_ALT_NAME = '2.5.29.17'
/** id-pe-acmeIdentifier (RFC 8737 §6.1). */
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/**
 * A request for a certificate (PKCS#10, RFC 2986 §4) in DER, for DNS names alone; the subject is empty.
 * @param privateKey PEM; it signs the request, and is the one that is to be certified
 */
export async function certificateRequest(names: readonly string[], privateKey: string): Promise<Uint8Array> {
  const key = signingKey(privateKey)
  const extensions = sequence(alternativeNames(names))
  const attributes = context(0, sequence(objectIdentifier(EXTENSION_REQUEST), set(extensions)))
  return signed(sequence(integer(Uint8Array.of(0)), sequence(), key.publicKey, attributes), key)
}

/**
 * A certificate that signs itself, and answers a challenge of TLS-ALPN-01 (RFC 8737 §3), with a key on P-256
 * that is made for it.
 * @param keyAuthorization what it has to show that its owner knows @param now milliseconds since 1970
 * @returns both in PEM
 */
export async function challengeCertificate(
  name: string,
  keyAuthorization: string,
  now: number,
): Promise<{ readonly certificate: string; readonly privateKey: string }> {
  const digest = createHash('sha256').update(keyAuthorization).digest()
  const shown = sequence(objectIdentifier(ACME_IDENTIFIER), truth(), octetString(octetString(digest)))
  const { der, privateKey } = await selfSigned('ACME challenge', [name], now, [shown])
  return { certificate: pem('CERTIFICATE', der), privateKey }
}

/**
 * A certificate that signs itself, for a day, with a key on P-256 that is made for it: of use where its
 * digest is vouched for otherwise.
 * @param now milliseconds since 1970 @param more extensions
 * @returns the certificate in DER, the key in PEM
 */
export async function selfSigned(
  commonName: string,
  names: readonly string[],
  now: number,
  more: readonly Der[] = [],
): Promise<{ readonly der: Uint8Array; readonly privateKey: string }> {
  const privateKey = await makeLeafKey('ecdsa-p256')
  const key = signingKey(privateKey)
  const named = sequence(set(sequence(objectIdentifier(COMMON_NAME), utf8String(commonName))))
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x3f) | 0x40
  const toBeSigned = sequence(
    context(0, integer(Uint8Array.of(2))),
    integer(serial),
    key.algorithm,
    named,
    sequence(time(now - HOUR), time(now + DAY)),
    named,
    key.publicKey,
    context(3, sequence(alternativeNames(names), ...more)),
  )
  return { der: await signed(toBeSigned, key), privateKey }
}

/** `[2]`, dNSName (RFC 5280 §4.2.1.6). */
function alternativeNames(names: readonly string[]): Der {
  const all = names.map(name => primitive(2, Buffer.from(name, 'latin1')))
  return sequence(objectIdentifier(SUBJECT_ALT_NAME), octetString(sequence(...all)))
}

async function signed(what: Der, key: SigningKey): Promise<Der> {
  return sequence(what, key.algorithm, bitString(await key.sign(what)))
}
