import { CHALLENGES, type ChallengeType } from '../platform/acme-settings.ts'
import { ownUrl } from './directory.ts'
import { AcmeError, problemText } from './error.ts'
import { type Fields, isFields, listOf, textOf } from './json.ts'

/*
 * Orders as a server tells them (RFC 8555 §7.1.3), and what is to be done next for one: a function of what
 * was told, without network, clock or chance.
 */

const MOST_NAMES = 100
const MOST_CHALLENGES = 16

export interface Order {
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid'
  readonly authorizations: readonly string[]
  readonly finalize: string
  readonly certificate: string | undefined
  /** Why it is invalid, in one line. */
  readonly problem: string | undefined
}

export interface Authorization {
  readonly url: string
  readonly status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked'
  /** The DNS name that it is about. */
  readonly name: string
  readonly challenges: readonly Challenge[]
}

export interface Challenge {
  readonly type: string
  readonly url: string
  readonly status: string
  readonly token: string | undefined
  readonly problem: string | undefined
}

/** What is to be done next. */
export type Step =
  /** Show at that name what its token asks for, and then tell the server that it can look. */
  | {
      readonly kind: 'answer'
      readonly name: string
      readonly url: string
      readonly token: string
      /** The server was told already, by an earlier process of ours. */
      readonly told: boolean
    }
  | { readonly kind: 'wait' }
  /** Send the request for the certificate. */
  | { readonly kind: 'finalize'; readonly url: string }
  | { readonly kind: 'download'; readonly url: string }
  /** It can come to nothing any more. */
  | { readonly kind: 'failed'; readonly reason: string }

/** @param directory the URL of the server's @throws AcmeError what came is no order */
export function readOrder(value: unknown, directory: string): Order {
  if (!isFields(value)) throw new AcmeError('the server gives no order where one is due')
  const status = oneOf(value.status, ['pending', 'ready', 'processing', 'valid', 'invalid'], 'an order')
  const authorizations = listOf(value.authorizations, MOST_NAMES, one =>
    ownUrl(one, 'an authorization', directory),
  )
  if (authorizations === undefined || authorizations.length === 0)
    throw new AcmeError('the server gives an order without authorizations')
  return {
    status,
    authorizations,
    finalize: ownUrl(value.finalize, 'the end of an order', directory),
    certificate:
      value.certificate === undefined ? undefined : ownUrl(value.certificate, 'a certificate', directory),
    problem: value.error === undefined ? undefined : problemText(value.error),
  }
}

/** @param url its own @throws AcmeError what came is no authorization of a DNS name */
export function readAuthorization(value: unknown, url: string, directory: string): Authorization {
  const of = ['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked'] as const
  if (!isFields(value)) throw new AcmeError('the server gives no authorization where one is due')
  const identifier: Fields = isFields(value.identifier) ? value.identifier : {}
  const name = textOf(identifier.value, 253)
  const challenges = listOf(value.challenges, MOST_CHALLENGES, one => readChallenge(one, directory))
  if (identifier.type !== 'dns' || name === undefined || challenges === undefined)
    throw new AcmeError('the server gives an authorization that makes no sense')
  return { url, name, challenges, status: oneOf(value.status, of, 'an authorization') }
}

function readChallenge(value: unknown, directory: string): Challenge | undefined {
  if (!isFields(value)) return undefined
  const [type, status] = [textOf(value.type, 64), textOf(value.status, 32)]
  if (type === undefined || status === undefined) return undefined
  // Of those that we answer; of others a server may say what it likes.
  const known = CHALLENGES.some(one => one === type)
  return {
    type,
    status,
    url: known ? ownUrl(value.url, 'a challenge', directory) : '',
    token: tokenOf(value.token),
    problem: value.error === undefined ? undefined : problemText(value.error),
  }
}

/** RFC 8555 §8.3: at least 128 bits, base64url; it becomes a part of a path. */
function tokenOf(value: unknown): string | undefined {
  const text = textOf(value, 512)
  return text !== undefined && /^[A-Za-z0-9_-]{22,512}$/.test(text) ? text : undefined
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[], what: string): T {
  const found = allowed.find(one => one === value)
  if (found === undefined) throw new AcmeError(`the server gives ${what} whose status makes no sense`)
  return found
}

/**
 * What an order needs next.
 * @param authorizations of the order, as the server tells them now; only a pending order needs them
 * @param answered URLs of challenges that the server was told of already
 */
export function nextStep(
  { status, finalize, certificate, problem }: Order,
  authorizations: readonly Authorization[],
  type: ChallengeType,
  answered: ReadonlySet<string>,
): Step {
  switch (status) {
    case 'invalid':
      return { kind: 'failed', reason: failureOf(authorizations) ?? problem ?? 'the order became invalid' }
    case 'valid':
      if (certificate === undefined) throw new AcmeError('the server gives a valid order without certificate')
      return { kind: 'download', url: certificate }
    case 'processing':
      return { kind: 'wait' }
    case 'ready':
      return { kind: 'finalize', url: finalize }
  }
  const reason = failureOf(authorizations)
  if (reason !== undefined) return { kind: 'failed', reason }
  for (const { name, challenges } of authorizations.filter(one => one.status === 'pending')) {
    const challenge = challenges.find(one => one.type === type)
    if (challenge === undefined) {
      const offered = challenges.map(one => one.type).join(', ') || 'none'
      return { kind: 'failed', reason: `${name} cannot be shown by ${type}; offered are: ${offered}` }
    }
    const { token, url, status: at } = challenge
    if (token === undefined) throw new AcmeError(`the server gives a challenge for ${name} without a token`)
    if (!answered.has(url)) return { kind: 'answer', name, token, url, told: at !== 'pending' }
  }
  return { kind: 'wait' }
}

/** Which names could not be shown to be ours, and why. */
function failureOf(authorizations: readonly Authorization[]): string | undefined {
  const failed = authorizations.filter(({ status }) => status !== 'pending' && status !== 'valid')
  if (failed.length === 0) return undefined
  return failed
    .map(({ name, status, challenges }) => {
      const problem = challenges.find(one => one.problem !== undefined)?.problem
      return `${name}: ${problem ?? `its authorization is ${status}`}`
    })
    .join('; ')
}
