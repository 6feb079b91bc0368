import {
  bitString,
  context,
  integer,
  objectIdentifier,
  octetString,
  pem,
  primitive,
  sequence,
  set,
  time,
  utf8String,
} from '../../src/certificates/der.ts'
import { makeLeafKey, signingKey } from '../../src/certificates/leaf-key.ts'
import { DerReader, only, Tag } from '../../src/tls13/io/der.ts'

export interface Certified {
  readonly names: readonly string[]
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** Bytes of the serial number, the highest first. */
  readonly serial: Uint8Array
  /** The authority's keyIdentifier; undefined: the certificate names none. */
  readonly keyIdentifier: Uint8Array | undefined
}

/** A certificate for the key of a request (PKCS#10, base64url), by an authority that is made for it. PEM. */
export async function certify(csr: string, wanted: Certified): Promise<string> {
  const request = new DerReader(only(Uint8Array.from(Buffer.from(csr, 'base64url')), Tag.sequence))
  const info = new DerReader(request.take(Tag.sequence))
  info.take(Tag.integer)
  info.take(Tag.sequence)
  const publicKey = info.whole(Tag.sequence)
  const authority = signingKey(await makeLeafKey('ecdsa-p256'))
  const { names, notBefore, notAfter, serial, keyIdentifier } = wanted
  const all = names.map(name => primitive(2, Buffer.from(name)))
  const extension = (oid: string, value: Uint8Array): Uint8Array =>
    sequence(objectIdentifier(oid), octetString(value))
  const extensions = [
    extension('2.5.29.17', sequence(...all)),
    ...(keyIdentifier === undefined ? [] : [extension('2.5.29.35', sequence(primitive(0, keyIdentifier)))]),
  ]
  const toBeSigned = sequence(
    context(0, integer(Uint8Array.of(2))),
    integer(serial),
    authority.algorithm,
    sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String('test authority')))),
    sequence(time(notBefore), time(notAfter)),
    sequence(),
    publicKey,
    context(3, sequence(...extensions)),
  )
  const signature = bitString(await authority.sign(toBeSigned))
  return pem('CERTIFICATE', sequence(toBeSigned, authority.algorithm, signature))
}
