/** Base64 as JOSE writes it (RFC 7515 §2): for URLs, and without padding. */
export function base64url(bytes: Uint8Array | string): string {
  return Buffer.from(bytes as Uint8Array).toString('base64url')
}

/** @throws RangeError it is none */
export function fromBase64url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new RangeError('that is no base64url (RFC 4648 §5)')
  return Uint8Array.from(Buffer.from(text, 'base64url'))
}
