import {
  ACME_DIRECTORIES,
  CHALLENGES,
  type ChallengeType,
  HTTP01_PATH,
  LEAF_KEYS,
  type LeafKey,
} from '../platform/acme-settings.ts'
import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import type { HttpRequest, HttpResponse } from '../transport/index.ts'
import { Account, type AccountShelf, type AccountWishes, isEmail, type KeptAccount } from './account.ts'
import { httpsFetch } from './fetch.ts'
import { issue, type KeptOrder, type Proof, type Responder } from './issue.ts'
import { orderedName } from './names.ts'
import { AcmeServer } from './server.ts'

/** Answers what an authority looks for by HTTP-01, in a server of one's own on port 80 of the hosts. */
export class Challenges implements Responder {
  readonly #pages = new Map<string, string>()

  async show({ token, keyAuthorization }: Proof): Promise<void> {
    this.#pages.set(token, keyAuthorization)
  }

  async withdraw({ token }: Proof): Promise<void> {
    this.#pages.delete(token)
  }

  /** A handler for that server. @returns false if it is no request of an authority, and was not answered */
  answer({ method, path }: HttpRequest, response: HttpResponse): boolean {
    const token = path.startsWith(HTTP01_PATH) ? path.slice(HTTP01_PATH.length) : ''
    const page = method === 'GET' || method === 'HEAD' ? this.#pages.get(token) : undefined
    if (page === undefined) return false
    response.reply({ status: 200, headers: [['content-type', 'application/octet-stream']], body: page })
    return true
  }
}

export interface ProvisionOptions extends AccountWishes {
  /** The hosts; no wildcards. */
  readonly names: readonly string[]
  /** What shows them to be ours: {@link Challenges}, or one's own. */
  readonly challenges: Responder
  /** Default: `http-01`. */
  readonly challenge?: ChallengeType
  /** `letsencrypt`, `letsencrypt-staging` (the default: for trying), or the URL of a directory. */
  readonly directory?: string
  /** PEM of the authorities to trust for its server; default: those that Node trusts. */
  readonly ca?: string
  /** Default: `ecdsa-p256`. */
  readonly keyType?: LeafKey
  readonly profile?: string
  /** Where the account is kept; default: nowhere, and each call makes another one. */
  readonly account?: AccountShelf
  /** Told what is being done, in a few words. */
  readonly report?: (what: string) => void
  /** What waiting goes by; default: the machine's clock. */
  readonly clock?: Clock
}

/** A certificate as `tls` of servers takes it. */
export interface Provisioned {
  /** The chain, PEM. */
  readonly cert: string
  /** Its private key, PEM. */
  readonly key: string
  /** Until when it is good, in milliseconds since 1970. */
  readonly notAfter: number
}

/**
 * Gets a certificate from an authority (RFC 8555). It writes no file: what keeps certificates, and renews
 * them in time, is the platform.
 * @throws AcmeError the authority refuses, or what it says makes no sense; TypeError for options that make
 * none
 */
export async function provision(options: ProvisionOptions): Promise<Provisioned> {
  const { names, challenges, challenge = 'http-01', keyType = 'ecdsa-p256', profile, report } = options
  const { directory = 'letsencrypt-staging', ca, clock = SYSTEM_CLOCK } = options
  check(options)
  const url = ACME_DIRECTORIES[directory] ?? directory
  const server = new AcmeServer({ fetch: httpsFetch(ca), clock, directory: url })
  const account = await Account.open(server, options.account ?? shelf<KeptAccount>(), options)
  const wanted = { names: names.map(orderedName), keyType, challenge, profile }
  const { issued, privateKey } = await issue(
    { ...wanted, ca: undefined, replaces: undefined },
    {
      server,
      account,
      responder: challenges,
      clock,
      shelf: shelf<KeptOrder>(),
      ...(report === undefined ? {} : { report }),
    },
  )
  return { cert: issued.pem, key: privateKey, notAfter: issued.notAfter }
}

/**
 * Before anything is asked for: an authority counts what fails.
 * @throws TypeError that names what is wrong
 */
function check(options: ProvisionOptions): void {
  const { names, challenges, directory = 'letsencrypt', email } = options
  const { challenge = CHALLENGES[0], keyType = LEAF_KEYS[0] } = options
  if (!Array.isArray(names) || names.length === 0 || !names.every(one => typeof one === 'string'))
    throw new TypeError('names: a list of hosts, one at least')
  if (typeof challenges?.show !== 'function' || typeof challenges.withdraw !== 'function')
    throw new TypeError('challenges: what answers the authority, such as new Challenges()')
  if (!Object.hasOwn(ACME_DIRECTORIES, directory) && !/^https:\/\/[^@]+$/i.test(directory))
    throw new TypeError(
      `directory: ${Object.keys(ACME_DIRECTORIES).join(', ')}, or a URL that begins with https://`,
    )
  if (email !== undefined && !isEmail(email)) throw new TypeError('email: an address, or undefined')
  if (!CHALLENGES.includes(challenge)) throw new TypeError(`challenge: ${CHALLENGES.join(' or ')}`)
  if (!LEAF_KEYS.includes(keyType)) throw new TypeError(`keyType: one of ${LEAF_KEYS.join(', ')}`)
}

/** A shelf of this process. */
function shelf<T>(): { load(): T | undefined; save(value: T): void; remove(): void } {
  let kept: T | undefined
  return {
    load: () => kept,
    save: value => {
      kept = value
    },
    remove: () => {
      kept = undefined
    },
  }
}
