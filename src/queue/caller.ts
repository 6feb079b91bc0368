import { lookup as lookupAddress } from 'node:dns'
import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as requestPlainly,
} from 'node:http'
import { request as requestSecurely } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Field } from '../http/message.ts'
import type { Clock } from '../time/clock.ts'
import { concat, EMPTY } from '../wire/index.ts'
import { type CallbackRule, flaw } from './callbacks.ts'
import { fieldsAlong } from './fields.ts'
import type { Outcome } from './life.ts'
import { CLIENT_FIELD, tellClient } from './origin.ts'
import type { CallRecord } from './record.ts'

/** Where the platform takes requests of this machine. */
export interface FrontDoor {
  readonly host: string
  readonly port: number
  /** By which its processes know each other. */
  readonly mark: string
}

export interface CallerOptions {
  readonly frontDoor: FrontDoor
  readonly callbacks: CallbackRule
  readonly clock: Clock
  /** Bytes of an answer that is kept for a callback. */
  readonly answerBytes: number
}

/** Makes the calls of a queue. */
export interface Caller {
  /** Calls the function. @param timeout milliseconds for the whole answer */
  call(record: CallRecord, timeout: number): Promise<Outcome>
  /** Tells its callback of the answer. @param timeout milliseconds; a callback has 30 s */
  tell(record: CallRecord, timeout?: number): Promise<Outcome>
}

/** Milliseconds that a callback may take. */
const TELLING_TIMEOUT = 30_000

/** Calls over the platform's own front door, and callbacks wherever the rule lets them. */
export class HttpCaller implements Caller {
  readonly #options: CallerOptions

  constructor(options: CallerOptions) {
    this.#options = options
  }

  call(record: CallRecord, timeout: number): Promise<Outcome> {
    const { host, port, mark } = this.#options.frontDoor
    const path = `/function/${record.functionName}${record.target}`
    const headers = {
      ...fieldsOf(record.headers),
      host: 'localhost',
      'x-call-id': record.id,
      [CLIENT_FIELD]: tellClient(mark, record.id, record.client ?? { tls: 0, address: '' }),
    }
    const { answerBytes } = this.#options
    const to = { secure: false, host, port, path, method: record.method, headers, body: record.body }
    return this.#ask(to, timeout, response => gather(response, record.callback === '' ? 0 : answerBytes))
  }

  async tell(record: CallRecord, timeout = TELLING_TIMEOUT): Promise<Outcome> {
    const { callbacks } = this.#options
    const { callback, answer } = record
    const objection = flaw(callback) ?? callbacks.objection(callback)
    if (objection !== undefined || answer === undefined)
      return { kind: 'impossible', reason: objection ?? 'there is no answer to tell' }
    const url = new URL(callback)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) !== 0 && !callbacks.mayReach(callback, host))
      return { kind: 'impossible', reason: `${host} is no address of the public internet` }
    const headers = {
      ...fieldsOf(answer.headers),
      host: url.host,
      'x-call-id': record.id,
      'x-function-name': record.functionName,
      'x-function-status': String(answer.status),
      'x-duration-seconds': (answer.milliseconds / 1000).toFixed(6),
    }
    const secure = url.protocol === 'https:'
    const port = Number(url.port) || (secure ? 443 : 80)
    const path = url.pathname + url.search
    const to = { secure, host, port, path, method: 'POST', headers, body: answer.body }
    // Its status says all: what it says besides may have no end.
    const read = async (response: IncomingMessage): Promise<Uint8Array> => {
      response.destroy()
      return EMPTY
    }
    return this.#ask(to, timeout, read, (name, options, done) => {
      lookupAddress(name, { ...options, all: true }, (error, found) => {
        const allowed = error ? [] : found.filter(({ address }) => callbacks.mayReach(callback, address))
        const none = error ?? new Error(`${name} leads to no address of the public internet`)
        if (allowed.length === 0) done(none, '', 0)
        else if (options.all === true) done(null, allowed)
        else done(null, allowed[0]!.address, allowed[0]!.family)
      })
    })
  }

  /** @param read takes of the content what is needed; undefined: there was more than is kept */
  #ask(
    to: Target,
    timeout: number,
    read: (response: IncomingMessage) => Promise<Uint8Array | undefined>,
    lookup?: LookupFunction,
  ): Promise<Outcome> {
    const { clock, answerBytes } = this.#options
    const since = clock.steady()
    return new Promise(resolve => {
      const failed = (error: Error): void =>
        settle({ kind: 'failed', reason: `${to.host}: ${error.message}` })
      const settle = (outcome: Outcome): void => {
        timer.stop()
        resolve(outcome)
      }
      const { secure, host, port, path, method, body } = to
      const headers = { ...to.headers, 'content-length': body.length, connection: 'close' }
      const options = { host, port, path, method, headers, agent: false as const, lookup }
      const answered = (response: IncomingMessage): void => {
        read(response).then(
          content => settle(outcomeOf(response, content, answerBytes, clock.steady() - since)),
          failed,
        )
      }
      let asked: ClientRequest
      try {
        asked = (secure ? requestSecurely : requestPlainly)(options, answered)
      } catch (error) {
        // A path or a field that no request can have: another try changes nothing.
        return resolve({ kind: 'impossible', reason: `no request can be made: ${(error as Error).message}` })
      }
      const late = new Error(`there was no answer within ${timeout / 1000} s`)
      const timer = clock.after(timeout, () => asked.destroy(late))
      asked.on('error', failed)
      asked.end(body)
    })
  }
}

interface Target {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  readonly path: string
  readonly method: string
  readonly headers: OutgoingHttpHeaders
  readonly body: Uint8Array
}

/** Of content at most so much; undefined if there was more. With 0 all of it is read, and none is kept. */
async function gather(response: IncomingMessage, most: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response) {
    length += piece.length
    if (most > 0 && length <= most) pieces.push(piece)
  }
  return most > 0 && length > most ? undefined : concat(...pieces)
}

function outcomeOf(
  response: IncomingMessage,
  content: Uint8Array | undefined,
  most: number,
  milliseconds: number,
): Outcome {
  const status = response.statusCode ?? 502
  if (content === undefined)
    return { kind: 'impossible', reason: `the answer (${status}) has more than ${most} bytes` }
  const { rawHeaders } = response
  const fields = Array.from(
    { length: rawHeaders.length >> 1 },
    (_, i): Field => [rawHeaders[2 * i]!, rawHeaders[2 * i + 1]!],
  )
  const headers = fieldsAlong(fields)
  const answer = { status, headers, body: content, milliseconds }
  return { kind: 'answered', answer, retryAfter: retryAfter(response.headers['retry-after']) }
}

function retryAfter(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined
}

/** Fields that come several times stay several. */
function fieldsOf(fields: CallRecord['headers']): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = Object.create(null)
  for (const { name, value } of fields) {
    const lower = name.toLowerCase()
    const before = all[lower]
    all[lower] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]
  }
  return all
}
