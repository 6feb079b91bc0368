import type { Descriptor } from '../transfer/stream.ts'
import { DecodeError, decode, encode } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'
import { responseOf } from './answer.ts'
import type { Client, FetchOptions } from './client.ts'
import { ClientError } from './error.ts'
import { Exchange } from './exchange.ts'
import type { ClientOptions } from './options.ts'
import { type Restored, restored } from './restoring.ts'
import { UpstreamState } from './state.ts'

/** Bytes that a response has at most, with its connection, where it can go elsewhere. */
export const UPSTREAM_BYTES = 1_048_576

/** Milliseconds in which what was said on its connection has to leave. */
const PATIENCE = 1000

const GONE = 'the response goes on in another process'

/** A response that has left: {@link arriving} goes on with it. */
export interface Departed {
  /** `UpstreamState`, encoded: it holds keys, and is good for once. */
  readonly state: Uint8Array
  /** Of its connection; undefined: nothing more comes of it. */
  readonly descriptor: Descriptor | undefined
}

/**
 * One response of a client, and what brings it, for programs that give it away alone. Its client is {@link
 * ClientOptions.exclusive}: nothing else is on its connection.
 */
export class Journey {
  readonly response: Response
  readonly #exchange: Exchange

  constructor(response: Response, exchange: Exchange) {
    this.response = response
    this.#exchange = exchange
  }

  /** What it is called, wherever it goes. */
  get label(): string {
    return this.#exchange.label
  }

  /** Bytes that have come and that no reader has. */
  get unread(): number {
    return this.#exchange.unread
  }

  /** Nothing more comes of it. */
  get over(): boolean {
    return this.#exchange.over
  }

  /** Why it cannot go on in another process; undefined: it can. */
  get obstacle(): string | undefined {
    const { connection, failure, obstacle } = this.#exchange
    if (failure !== undefined) return 'it has broken off'
    return obstacle ?? connection?.rooted
  }

  /** Its reader gets nothing until {@link goOn}: then it is known what it has got. */
  stand(): void {
    this.#exchange.stand()
  }

  goOn(): void {
    this.#exchange.goOn()
  }

  /** It is about to {@link depart}: what its reader does to it changes nothing any more. */
  leave(): void {
    this.#exchange.leave()
  }

  /** It is not wanted any more. */
  cancel(reason: Error): void {
    this.#exchange.cancel(reason)
  }

  /**
   * Gives it away, with its connection. If that ends meanwhile, it goes without, and breaks off where it
   * arrives.
   */
  async depart(): Promise<Departed> {
    const exchange = this.#exchange
    const { connection, label, outgoing } = exchange
    const released = await connection?.release(outgoing.url.origin, undefined, PATIENCE)
    const gone = new ClientError('aborted', GONE)
    try {
      if (released !== undefined && released.state.length <= UPSTREAM_BYTES) {
        const { state, descriptor } = released
        return { state: encode(UpstreamState, { kind: 'live', connection: state }), descriptor }
      }
      released?.descriptor.close()
      const failure = released === undefined ? endOf(exchange) : LARGE
      const finished = { kind: 'finished', exchange: { ...exchange.export(), label }, failure } as const
      return { state: encode(UpstreamState, finished), descriptor: undefined }
    } finally {
      exchange.left(gone)
    }
  }
}

const LARGE = `more than ${UPSTREAM_BYTES} bytes of it were underway`

/** Why it brings nothing more, and is not whole; undefined: it is. */
function endOf({ over, failure }: Exchange): string | undefined {
  if (failure !== undefined) return reasonOf(failure.reason).slice(0, 255)
  return over ? undefined : 'its connection could not leave'
}

/** Asks as {@link Client.fetch} does. @param label what the response is called, wherever it goes */
export async function journey(
  client: Client,
  label: string,
  input: string | URL | Request,
  init: FetchOptions = {},
): Promise<Journey> {
  let last: Exchange | undefined
  const onTry = (exchange: Exchange): void => {
    last = exchange
  }
  const response = await client.fetch(input, { ...init, label, onTry })
  return new Journey(response, last!)
}

/** A response that has come from another process, and has not gone on yet. */
export interface Arriving {
  readonly label: string
  /** Goes on, in that client. To be called once. */
  begin(client: Client): Promise<Journey>
  /** It is not wanted: its connection ends. */
  drop(): void
}

/**
 * Reads what {@link Journey.depart} gave. The descriptor is the result's from then on.
 * @throws DecodeError, TlsError, TypeError for what is no such thing
 */
export function arriving({ state, descriptor }: Departed, options: ClientOptions): Arriving {
  const read = decode(UpstreamState, state)
  if ((read.kind === 'live') !== (descriptor !== undefined))
    throw new DecodeError('an upstream that has a connection, or has none', 0)
  if (read.kind === 'live') {
    const connection = restored({ state: read.connection, descriptor: descriptor! }, options, () => ({}))
    const [exchange, ...others] = connection.exchanges
    if (exchange === undefined || others.length > 0 || exchange.seen !== 'answered')
      throw new DecodeError('a connection without the one response', 0)
    return {
      label: exchange.label,
      begin: client => goOn(client, connection, exchange),
      drop: () => descriptor!.close(),
    }
  }
  const { label } = read.exchange
  const exchange = Exchange.restore(read.exchange, {})
  if (exchange.seen !== 'answered') throw new DecodeError('a response without its head', 0)
  return { label, begin: () => finished(exchange, read.failure), drop() {} }
}

/** Its connection serves nothing else: whom its owner here trusts is another matter. */
async function goOn(client: Client, connection: Restored, exchange: Exchange): Promise<Journey> {
  const [{ response }] = client.take(connection) as [ReturnType<Client['take']>[number]]
  exchange.connection?.drain()
  return new Journey(await response, exchange)
}

async function finished(exchange: Exchange, failure: string | undefined): Promise<Journey> {
  const answered = exchange.answered()
  if (failure === undefined) exchange.end([])
  else exchange.settle()
  const { redirected, outgoing } = exchange
  const about = { url: outgoing.url.href, redirected, decode: false }
  const { response } = responseOf(await answered, about)
  if (failure !== undefined) exchange.fail(new ClientError('protocol', failure))
  return new Journey(response, exchange)
}
