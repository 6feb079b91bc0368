import type * as age from 'age-encryption'
import { optionalPackage } from '../platform/optional-package.ts'
import { SealedError } from './error.ts'

let loading: Promise<typeof age> | undefined

function load(): Promise<typeof age> {
  loading ??= optionalPackage(
    'age-encryption',
    'wrapping keys for recipients',
    () => import('age-encryption'),
  )
  return loading
}

/** A recipient or an identity that age does not understand. The message does not repeat an identity. */
export class AgeError extends Error {
  override readonly name = 'AgeError'
}

/**
 * Encrypts a data key to recipients, as `age -r` does: the `age` program can read it.
 * @param recipients as `age1…` @throws AgeError one is no recipient @throws MissingPackageError
 */
export async function wrapKey(dataKey: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const { Encrypter } = await load()
  const encrypter = new Encrypter()
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch {
      const shown = /^AGE-SECRET-KEY/i.test(recipient) ? 'a secret key' : JSON.stringify(recipient)
      throw new AgeError(`${shown} is no recipient of age: ${whyNone(recipient)}`)
    }
  }
  return encrypter.encrypt(dataKey)
}

function whyNone(recipient: string): string {
  if (!recipient.startsWith('age1')) return 'one begins with age1'
  return 'it begins with age1, and its checksum is wrong; is it whole?'
}

/**
 * Decrypts a data key, as `age -d -i` does.
 * @param identities as `AGE-SECRET-KEY-1…` @returns undefined if it is for none of them
 * @throws AgeError one is no identity @throws SealedError `wrapping_damaged`
 * @throws MissingPackageError
 */
export async function unwrapKey(
  wrapped: Uint8Array,
  identities: readonly string[],
): Promise<Uint8Array | undefined> {
  // It is wrapped for none: age takes that for damage.
  if (wrapped.length === 0) return undefined
  const { Decrypter } = await load()
  const decrypter = new Decrypter()
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity)
    } catch {
      throw new AgeError('this is no identity of age: one begins with AGE-SECRET-KEY-1')
    }
  }
  try {
    return await decrypter.decrypt(wrapped)
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    if (/no identity matched/i.test(message)) return undefined
    throw new SealedError('wrapping_damaged', 'the wrapped key of the bundle has been changed')
  }
}

/** A fresh identity, and the recipient for it. @throws MissingPackageError */
export async function newIdentity(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await load()
  const identity = await generateX25519Identity()
  return { identity, recipient: await identityToRecipient(identity) }
}

/** The recipient of an identity. @throws AgeError it is none @throws MissingPackageError */
export async function recipientOf(identity: string): Promise<string> {
  const { identityToRecipient } = await load()
  try {
    return await identityToRecipient(identity)
  } catch {
    throw new AgeError('this is no identity of age: one begins with AGE-SECRET-KEY-1')
  }
}

/** The identities of a file as `age-keygen` writes it: one a line, between comments. */
export function identitiesOf(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
}
