import { type Issued, IssuedError, judgeIssued } from '../certificates/issued.ts'
import { makeLeafKey } from '../certificates/leaf-key.ts'
import { certificateRequest } from '../certificates/request.ts'
import type { ChallengeType, LeafKey } from '../platform/acme-settings.ts'
import type { Clock } from '../time/clock.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { Account } from './account.ts'
import { base64url } from './base64url.ts'
import { ownUrl } from './directory.ts'
import { AcmeError, oneLine } from './error.ts'
import { type Authorization, nextStep, type Order, readAuthorization, readOrder, type Step } from './order.ts'
import type { AcmeServer, Answer } from './server.ts'

/** What is asked for. */
export interface Wanted {
  /** In ASCII and lower case. */
  readonly names: readonly string[]
  readonly keyType: LeafKey
  readonly challenge: ChallengeType
  readonly profile: string | undefined
  /** File of the authorities to trust for the server: kept for its renewal. */
  readonly ca: string | undefined
  /** Of the certificate that this one is to replace (RFC 9773 §5), if the server can make use of it. */
  readonly replaces: string | undefined
}

/** An order that is underway, as it is kept: secret. */
export interface KeptOrder extends Wanted {
  /** URL of the directory. */
  readonly directory: string
  /** That is to be certified, PEM. */
  readonly privateKey: string
  /** Undefined: it is not known that the server has it. */
  readonly url: string | undefined
  /** What came of it, PEM: to be put into its place. */
  readonly chain: string | undefined
}

/** Where an order is kept until its certificate is in its place. */
export interface OrderShelf {
  load(): KeptOrder | undefined
  save(order: KeptOrder): void
  remove(): void
}

/** What an authority looks for, at the name that it is about. */
export interface Proof {
  readonly type: ChallengeType
  readonly name: string
  readonly token: string
  /** The token and the thumbprint of the account's key (RFC 8555 §8.1). */
  readonly keyAuthorization: string
}

/** What shows proofs to the authority. */
export interface Responder {
  /** @returns when the authority may look */
  show(proof: Proof): Promise<void>
  withdraw(proof: Proof): Promise<void>
}

export interface IssueOptions {
  readonly server: AcmeServer
  readonly account: Account
  readonly responder: Responder
  readonly clock: Clock
  readonly shelf: OrderShelf
  /** Told what is being done, in a few words. */
  readonly report?: (what: string) => void
}

/** Milliseconds: the first pause before the server is asked again, the longest, and all of an order. */
const FIRST_PAUSE = 250
const LONGEST_PAUSE = 15_000
const PATIENCE = 600_000

/**
 * Gets a certificate, or goes on with an order that is underway. What is kept at each moment is enough to go
 * on from, or to begin anew: this may end anywhere.
 * @returns the chain and its key; the order stays on its shelf until they are in their place
 * @throws AcmeError
 */
export async function issue(
  wanted: Wanted,
  options: IssueOptions,
): Promise<{ readonly issued: Issued; readonly privateKey: string }> {
  const { shelf, server, clock } = options
  const kept = shelf.load()
  if (kept !== undefined && (!sameWish(kept, wanted) || kept.directory !== server.url)) shelf.remove()
  const order = shelf.load() ?? (await begin(wanted, options))
  const chain = order.chain ?? (await new Pursuit(order, options).chain())
  try {
    const issued = judgeIssued(chain, order.privateKey, order.names, clock.wall())
    shelf.save({ ...shelf.load()!, chain: issued.pem })
    return { issued, privateKey: order.privateKey }
  } catch (error) {
    if (!(error instanceof IssuedError)) throw error
    shelf.remove()
    throw new AcmeError(`the server has sent what cannot be used: ${error.message}`)
  }
}

/** Whether an order that is underway is for the same thing; what it replaces does not matter. */
function sameWish(one: Wanted, other: Wanted): boolean {
  const key = ({ names, keyType, challenge, profile }: Wanted): string =>
    JSON.stringify([[...names].sort(), keyType, challenge, profile])
  return key(one) === key(other)
}

async function begin(wanted: Wanted, { shelf, server }: IssueOptions): Promise<KeptOrder> {
  const { profiles } = await server.directory()
  const { profile } = wanted
  if (profile !== undefined && !profiles.has(profile)) {
    const known = profiles.size === 0 ? 'it has none' : `there are ${[...profiles.keys()].join(', ')}`
    throw new AcmeError(`the server has no profile ${profile}: ${known}`)
  }
  const order: KeptOrder = {
    ...wanted,
    directory: server.url,
    privateKey: await makeLeafKey(wanted.keyType),
    url: undefined,
    chain: undefined,
  }
  shelf.save(order)
  return order
}

/** One order, from its beginning to its certificate. */
class Pursuit {
  readonly #options: IssueOptions
  readonly #answered = new Set<string>()
  readonly #shown: Proof[] = []
  readonly #until: number
  #order: KeptOrder
  #finalized = false

  constructor(order: KeptOrder, options: IssueOptions) {
    this.#options = options
    this.#order = order
    this.#until = options.clock.steady() + PATIENCE
  }

  async chain(): Promise<string> {
    try {
      return await this.#pursue()
    } finally {
      for (const proof of this.#shown) await this.#withdraw(proof)
    }
  }

  /** What came of the order stays, whatever becomes of this. */
  async #withdraw(proof: Proof): Promise<void> {
    const { responder, report } = this.#options
    try {
      await responder.withdraw(proof)
    } catch (error) {
      report?.(`a proof for ${proof.name} is still shown: ${reasonOf(error)}`)
    }
  }

  async #pursue(): Promise<string> {
    const { clock, shelf, server } = this.#options
    let pause = FIRST_PAUSE
    for (;;) {
      if (clock.steady() > this.#until) throw new AcmeError('the order takes more than ten minutes')
      const [order, retryAfter] = await this.#look()
      const authorizations =
        order.status === 'pending' || order.status === 'invalid' ? await this.#all(order) : []
      const step = nextStep(order, authorizations, this.#order.challenge, this.#answered)
      if (step.kind === 'download') return this.#download(step.url)
      if (step.kind === 'failed') {
        shelf.remove()
        throw new AcmeError(step.reason)
      }
      if (await this.#take(step)) continue
      await server.pause(Math.min(LONGEST_PAUSE, retryAfter ?? pause))
      pause = Math.min(LONGEST_PAUSE, pause * 2)
    }
  }

  /** @returns whether something was done; otherwise there is only to wait */
  async #take(step: Step): Promise<boolean> {
    const { account, responder, server, report } = this.#options
    if (step.kind === 'answer') {
      const { name, token, url, told } = step
      const keyAuthorization = `${token}.${account.thumbprint}`
      const proof: Proof = { type: this.#order.challenge, name, token, keyAuthorization }
      report?.(`showing that ${name} is ours, by ${proof.type}`)
      this.#shown.push(proof)
      await responder.show(proof)
      if (!told) await server.post(url, {}, account.signing)
      this.#answered.add(url)
      return true
    }
    if (step.kind !== 'finalize' || this.#finalized) return false
    report?.('asking for the certificate')
    const { names, privateKey } = this.#order
    const csr = base64url(await certificateRequest(names, privateKey))
    await server.post(step.url, { csr }, account.signing).catch((error: AcmeError) => {
      // It is another process's request, or ours before this one began anew.
      if (error.type !== 'orderNotReady') throw error
    })
    this.#finalized = true
    return true
  }

  /** The order as the server tells it now, and how long it asks us to wait. */
  async #look(): Promise<readonly [Order, number | undefined]> {
    const { server, account, shelf } = this.#options
    const { url } = this.#order
    if (url === undefined) return this.#send()
    const { json, retryAfter } = await server
      .post(url, undefined, account.signing)
      .catch((error: AcmeError) => {
        // It has expired, or is of an account that was.
        if (error.status !== 404 && error.status !== 403 && error.type !== 'malformed') throw error
        shelf.remove()
        throw new AcmeError(
          `the order that was underway is no more: ${error.message}; it can be asked for anew`,
        )
      })
    return [readOrder(json, server.url), retryAfter]
  }

  async #send(): Promise<readonly [Order, number | undefined]> {
    const { server, account, shelf, report } = this.#options
    const { newOrder, renewalInfo } = await server.directory()
    const { names, profile, replaces } = this.#order
    report?.(`ordering a certificate for ${names.join(', ')}`)
    const plain = {
      identifiers: names.map(value => ({ type: 'dns', value })),
      ...(profile === undefined ? {} : { profile }),
    }
    const send = (payload: object): Promise<Answer> => server.post(newOrder, payload, account.signing)
    const replacing = replaces !== undefined && renewalInfo !== undefined
    const { location, json, retryAfter } = replacing
      ? await send({ ...plain, replaces }).catch((error: AcmeError) => {
          // RFC 9773 §5: it was replaced already, or the server does not know it; then it is a new one.
          const known = error.type === 'alreadyReplaced' || error.status === 404 || error.type === 'malformed'
          if (!known) throw error
          return send(plain)
        })
      : await send(plain)
    const url = ownUrl(location, 'an order', server.url)
    this.#order = { ...this.#order, url }
    shelf.save(this.#order)
    return [readOrder(json, server.url), retryAfter]
  }

  /** One after the other: there may be a hundred. */
  async #all({ authorizations }: Order): Promise<Authorization[]> {
    const { server, account } = this.#options
    const all: Authorization[] = []
    for (const url of authorizations) {
      const { json } = await server.post(url, undefined, account.signing)
      const one = readAuthorization(json, url, server.url)
      // What shows that a host is ours is shown for no other one.
      if (!this.#order.names.includes(one.name.toLowerCase()))
        throw new AcmeError(
          `the server gives an authorization for ${oneLine(one.name)}, which was not asked for`,
        )
      all.push(one)
    }
    return all
  }

  async #download(url: string): Promise<string> {
    const { server, account } = this.#options
    const { text } = await server.post(url, undefined, account.signing)
    if (text === '') throw new AcmeError(`${url} is no application/pem-certificate-chain (RFC 8555 §7.4.2)`)
    return text
  }
}
