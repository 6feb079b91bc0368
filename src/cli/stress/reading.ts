import { parseDuration } from '../../platform/durations.ts'
import type { ProviderName } from '../../platform/membership.ts'
import { probeEvp } from '../../tls13/crypto/evp.ts'
import { verifier } from '../../tls13/io/verify.ts'
import { type FlagValues, wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { textOf } from '../tls/file.ts'
import type { STRESS_FLAGS } from './flags.ts'
import { askedOf } from './mix.ts'
import type { Plan } from './plan.ts'
import { resolver } from './resolve.ts'
import type { Tally } from './tally.ts'

type Values = FlagValues<typeof STRESS_FLAGS>

/** What a command line asks for. @throws UsageError, CommandError */
export function planOf(addresses: readonly string[], values: Values): Plan {
  const { http2, reconnect, resume, insecure, resolve = [] } = values
  const asked = askedOf(addresses, values)
  const origin = new URL(addresses[0]!)
  const streams = wholeNumber('streams', values.streams ?? '1', 1, 1000)
  if (streams > 1 && !http2) throw new UsageError('--streams needs --http2')
  if (streams > 1 && reconnect)
    throw new UsageError(
      '--streams and --reconnect do not go together: a request has a connection for itself',
    )
  if (resume && !reconnect) throw new UsageError('--resume needs --reconnect')
  if (resume && values.tls === 'node') throw new UsageError('--resume needs --tls ours')
  const amount = amountOf(values)
  const connections = wholeNumber('connections', values.connections ?? '50', 1, 10_000)
  const rate = values.rate === undefined ? undefined : 1000 / wholeNumber('rate', values.rate, 1, 1_000_000)
  // Mistakes are told before the work.
  resolver(resolve, 0)
  return {
    asked,
    origin: origin.origin,
    http2,
    tls: (values.tls as Plan['tls'] | undefined) ?? 'ours',
    provider: providerName(),
    // More would never be used.
    connections: Math.min(
      connections,
      amount.warmup > 0 ? connections : Math.ceil(amount.requests / streams),
    ),
    streams,
    reconnect,
    resume,
    timeout: wholeNumber('timeout', values.timeout ?? '30', 1, 3600) * 1000,
    ca: authoritiesOf(values),
    insecure,
    resolve,
    ...amount,
    rate: rate === undefined ? undefined : { every: rate, phase: 0 },
    log: values.hdr !== undefined,
  }
}

function providerName(): ProviderName {
  return probeEvp().available ? 'evp' : 'node'
}

function authoritiesOf({ ca }: Values): string | undefined {
  if (ca === undefined) return undefined
  const text = textOf('ca', ca)
  try {
    verifier({ ca: text })
    return text
  } catch (error) {
    if (error instanceof TypeError) throw new CommandError(`--ca ${ca}: ${error.message}`)
    throw error
  }
}

function amountOf({ requests, duration, warmup }: Values): {
  readonly requests: number
  readonly milliseconds: number
  readonly warmup: number
} {
  if (requests !== undefined && duration !== undefined)
    throw new UsageError('use either --requests or --duration, not both')
  return {
    requests:
      duration === undefined ? wholeNumber('requests', requests ?? '200', 1, 1e9) : Number.POSITIVE_INFINITY,
    milliseconds: duration === undefined ? Number.POSITIVE_INFINITY : timeOf('duration', duration, 0.001),
    warmup: warmup === undefined ? 0 : timeOf('warmup', warmup, 0),
  }
}

/** Milliseconds of a duration; a number alone is seconds. */
function timeOf(flag: string, text: string, least: number): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : parseDuration(text)
  if (seconds === undefined || !(seconds >= least && seconds <= 86_400))
    throw new UsageError(`--${flag} must be a time such as 10s or 1m30s, a day at most, not ${text}`)
  return seconds * 1000
}

/** How many failures are none: so many, or that part of all requests. @throws UsageError */
export function tolerance(text: string): (tally: Tally) => boolean {
  const [, number, percent] = /^(\d{1,9}(?:\.\d{1,9})?)(%?)$/.exec(text) ?? []
  if (number === undefined || (percent === '%' ? Number(number) > 100 : number.includes('.')))
    throw new UsageError(`--max-errors must be a whole number, or a part such as 0.1%, not ${text}`)
  if (percent === '') return ({ failures }) => failures <= Number(number)
  return ({ failures, requests }) => failures <= (requests * Number(number)) / 100
}
